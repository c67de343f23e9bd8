"""config/guides/own_operations.md: the study of the guide, and what is printed about the code that it runs."""

import json
import re

import own_operations
import pytest
from test_guides import typed

GUIDE = own_operations.GUIDE.read_text()
RUN, LOOK = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
ANNOUNCED = "nas.operations: runs the Python code of my_ops.py"
STUDY = ("--configfile", own_operations.STUDY)


def test_a_dry_run_announces_the_code_and_runs_none(checkout):
    file = own_operations.write_files(checkout.folder)
    file.write_text(f"raise SystemExit('run')\n{file.read_text()}")
    assert checkout.run("-n", *STUDY).splitlines().count(ANNOUNCED) == 1
    assert f"    {ANNOUNCED}\n" in GUIDE


def test_errors_of_the_code_end_the_command_before_any_job(checkout):
    own_operations.write_files(checkout.folder, "padding, inner", "padding, iner")
    code, output = checkout.run(*STUDY, "--cores", "1", check=False)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert code != 0 and "Traceback" not in output
    assert lines == re.findall(r"^ +(error: .*)$", GUIDE, re.MULTILINE)
    assert not list(checkout.folder.glob("results/*/trial-*"))


@pytest.mark.slow
def test_the_study_of_the_guide(checkout):
    own_operations.write_files(checkout.folder)
    typed(checkout, RUN)
    results = checkout.folder / "results/own_operations"
    best = json.loads((results / "study/best.json").read_text())
    assert best["test_n"] == 597
    for stage in ("train_supernet", "search_architecture", "retrain", "retrain_final"):
        assert (results / f"trial-0000/logs/{stage}.log").read_text().splitlines().count(ANNOUNCED) == 1
    assert f"{best['parameters']:,} parameters, {best['macs']:,} MACs" in typed(checkout, LOOK)
    svg = (results / "report/architecture.svg").read_text()
    assert "convnext" in svg or "pool" in svg or "convnext" not in best["architecture"]
    own_operations.write_files(checkout.folder, "nn.GELU()", "nn.ReLU()")
    assert re.search(r"^train_supernet +1$", checkout.run("-n", *STUDY), re.MULTILINE)

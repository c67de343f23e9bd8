"""A network from a file instead of a search: nas.architecture."""

import json
import subprocess
import sys

import pytest
import small_data
from conftest import ENVIRONMENT
from studies import artefacts, write_config
from test_dag import ONCE, SEARCHED, job_counts
from test_data_sets import CIFAR

TAKEN = {"nas": {"architecture": "mobilenet_v2"}, "optimize": {"trial_number": 1, "parameters": []}}
MINE = {
    "stem": {"width": 8, "stride": 1},
    "blocks": [
        {"op": "sepconv", "kernel_size": 3, "width": 16},
        {"op": "zero"},
        {"op": "mbconv", "depth": 2, "kernel_size": 3, "stride": 2, "expand_ratio": 3, "width": 24},
    ],
    "head": {"width": 32},
}
ONE_TRIAL = {
    "nas": {"architecture": "mine.json", "num_epochs_retrain": 2},
    "optimize": {"trial_number": 1, "parameters": []},
    "promote": {"top": 1},
}
NOTHING = "Nothing to be done"


def write_mine(checkout, **changes):
    (checkout.folder / "mine.json").write_text(json.dumps(MINE | changes))


def refused(checkout, *overlays):
    code, output = checkout.run("-n", "--configfile", write_config(checkout.folder, *overlays), check=False)
    assert code != 0 and "Traceback" not in output and not (checkout.folder / "results").exists()
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    return line.removeprefix("error: ")


def test_plan_has_no_supernet_and_no_search(checkout):
    output = checkout.run("-n", "--configfile", write_config(checkout.folder, TAKEN))
    assert job_counts(output) == ONCE | {"suggest": 1, "import_architecture": 1, "retrain": 1}
    said = "nasmake: architecture config/architectures/mobilenet_v2.json, without a search"
    assert output.splitlines().count(said) == 1


def test_trials_share_the_taken_network_whatever_is_searched(checkout):
    seed = {"name": "nas.seed", "type": "uniform_int", "lower": 0, "upper": 9}
    searched = {"optimize": {"trial_number": 3, "parameters": [SEARCHED["retrain"], seed]}}
    counts = job_counts(checkout.run("-n", "--configfile", write_config(checkout.folder, TAKEN, searched)))
    assert counts == ONCE | {"suggest": 3, "import_architecture": 1, "retrain": 3}


def test_space_file_that_was_taken_is_said_once(checkout):
    output = checkout.run("-n", "--configfile", write_config(checkout.folder))
    said = "nasmake: search space config/search_spaces/config_proxyless_digits.yaml"
    assert output.splitlines().count(said) == 1


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            {"optimize": {"trial_number": 3, "parameters": [SEARCHED["search"]]}},
            "config: optimize.parameters: search.mutation_prob belongs to stage search_architecture, which nas.arch",
        ),
        ({"nas": {"architecture": "mobilenet_v3"}}, "nas.architecture: 'mobilenet_v3': no architecture of that name"),
        ({"nas": {"architecture": "mine.json"}}, "nas.architecture: mine.json: blocks[1].width is missing"),
    ],
)
def test_one_line_before_any_job(checkout, overlay, message):
    write_mine(checkout, blocks=[{"op": "zero"}, {"op": "conv", "kernel_size": 3}])
    assert refused(checkout, TAKEN, overlay).startswith(message)


def test_no_search_space_is_needed(checkout):
    for path in (checkout.folder / "config/search_spaces").rglob("*.yaml"):
        path.unlink()
    checkout.run("-n", "--configfile", write_config(checkout.folder, TAKEN))


@pytest.mark.slow
def test_study_of_a_network_of_ones_own(checkout):
    """From the file to the report; then what a change of the file reruns."""
    write_mine(checkout)
    study = write_config(checkout.folder, ONE_TRIAL)
    command = ("--configfile", study, "--cores", "2")
    checkout.run(*command)
    run = checkout.folder / "results/tiny"
    taken = json.loads((run / "shared/architecture.json").read_text())
    assert (taken["state"], taken["class_num"], taken["input_size"], taken["channels"]) == ("COMPLETE", 10, 8, 1)
    best = json.loads((run / "study/best.json").read_text())
    assert [best[key] for key in ("parameters", "macs", "architecture")] == [
        taken[key] for key in ("parameters", "macs", "string")
    ]
    assert {path.name for path in (run / "report").glob("*.svg")} == {
        *("architecture.svg", "importances.svg", "learning_curves.svg", "study.svg"),
    }
    report = [sys.executable, "scripts/make_report.py", study]
    subprocess.run(report, cwd=checkout.folder, env=ENVIRONMENT, check=True, capture_output=True)
    page = (run / "report.html").read_text()
    assert "Nothing was searched" in page and "Accuracy against MACs" not in page
    assert NOTHING in checkout.run(*command)

    write_mine(checkout, name="Mine", string="for people")
    assert job_counts(checkout.run("-n", *command))["import_architecture"] == 1  # its name is in the picture
    write_mine(checkout, class_num=10, string="for people", macs=3)
    assert NOTHING in checkout.run("-n", *command)
    write_mine(checkout, head={"width": 40})
    counts = job_counts(checkout.run("-n", *command))
    assert (counts["import_architecture"], counts["retrain"]) == (1, 1) and "suggest" not in counts
    before = artefacts(run)
    write_mine(checkout)
    checkout.run(*command, "--forcerun", "import_architecture", "--until", "import_architecture")
    assert artefacts(run) == before


@pytest.mark.slow
def test_published_network_is_retrained_on_cifar10(checkout):
    archive = checkout.folder / "resources/datasets/cifar-10-python.tar.gz"
    archive.parent.mkdir(parents=True)
    checksum = small_data.write_cifar10_archive(archive, 250, 60)
    small = {
        "run": "small",
        "dataset": {"sha256": checksum},
        "nas": {"num_epochs_retrain": 1},
        "optimize": {"trial_number": 1, "parameters": []},
    }
    study = write_config(checkout.folder, CIFAR, TAKEN, small)
    checkout.run("--configfile", study, "--cores", "2")
    best = json.loads((checkout.folder / "results/small/study/best.json").read_text())
    assert (best["test_n"], best["parameters"]) == (60, 3_504_872 - 990 * 1281)
    assert best["architecture"].startswith("ds_r1_k3_s1_c16_nr6 ir_r2_k3_s2_e6_c24_nr6 ")

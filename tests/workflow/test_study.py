"""A small study from data to report, once; then what a change of it reruns."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ENVIRONMENT, Checkout, make_checkout
from nasmake.data.preprocessing import read_preprocessing
from nasmake.engine.predict import normalised
from PIL import Image
from studies import artefacts, write_config
from test_dag import job_counts

NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A checkout whose tiny study has run to its end. Tests that run more work in copies of the configuration."""
    checkout = make_checkout(tmp_path_factory.mktemp("finished") / "nasmake")
    study = write_config(checkout.folder)
    checkout.output = checkout.run("--configfile", study, "--cores", "2")
    return checkout


def plan(checkout, *overlays):
    return checkout.run("-n", "--configfile", write_config(checkout.folder, *overlays, name="changed.yaml"))


def planned(checkout, *overlays):
    output = plan(checkout, *overlays)
    return {} if NOTHING in output else job_counts(output)


def test_artefacts_are_where_they_are_promised(finished):
    run = finished.folder / "results/tiny"
    assert (finished.folder / "resources/datasets/digits/manifest.json").is_file()
    for name in ("supernet.safetensors", "supernet.json", "history/train_supernet.csv", "logs/train_supernet.log"):
        assert (run / "shared" / name).is_file()
    for trial in ("trial-0000", "trial-0001", "trial-0002"):
        for name in ("suggestion.json", "architecture.json", "model.safetensors", "result.json", "history/retrain.csv"):
            assert (run / trial / name).is_file()
    for name in ("search_progress", "probabilities", "tradeoff"):
        assert (run / f"report/{name}.svg").is_file()
    for name in ("study/best.json", "study/trials.csv", "study/journal.log", "best/model.safetensors", "config.yaml"):
        assert (run / name).is_file()
    assert not list(run.glob("*/.resume/*"))  # training states are gone when their stage is done


def test_best_json_holds_the_promised_keys(finished):
    run = finished.folder / "results/tiny"
    best = json.loads((run / "study/best.json").read_text())
    promised = {"trial", "val_accuracy", "val_loss", "test_accuracy", "test_loss", "test_n", "parameters", "macs"}
    intervals = {"val_n", "val_interval", "test_interval", *(key for key in best if key.endswith("_over_trial_0"))}
    assert best.keys() == promised | intervals | {"architecture", "baseline", "preprocessing", "provenance"}
    assert best["preprocessing"]["classes"] == list("0123456789")
    assert best["test_n"] == 597
    assert 0.9 < best["baseline"]["test_accuracy"] < 1
    results = {path.parent.name: json.loads(path.read_text()) for path in run.glob("trial-*/result.json")}
    assert best["val_accuracy"] == max(result["val_accuracy"] for result in results.values())
    final = run / f"trial-{best['trial']:04d}" / "final.safetensors"
    assert (run / "best/model.safetensors").read_bytes() == final.read_bytes()


ISOLATED = """\
import sys
sys.path.append({packages!r})
{lines}
assert not any(name.startswith("nasmake") for name in sys.modules)
"""


def test_card_loads_the_network_in_six_lines_without_this_package(finished):
    folder = finished.folder / "results/tiny/best"
    lines = (folder / "model_card.md").read_text().split("```python\n")[1].split("```")[0]
    assert len(lines.splitlines()) == 6
    packages = str(Path(torch.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", ISOLATED.format(packages=packages, lines=lines)]  # -S: no .pth files
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert set(json.loads(printed.replace("'", '"'))) <= set("0123456789")


def test_program_has_the_test_accuracy_of_the_report_and_predicts_image_files(finished):
    run, data = finished.folder / "results/tiny", finished.folder / "resources/datasets/digits"
    best = json.loads((run / "study/best.json").read_text())
    pixels, labels = (torch.from_numpy(np.load(data / f"test_{name}.npy")) for name in ("images", "labels"))
    program = torch.export.load(run / "best/model.pt2").module()
    with torch.no_grad():
        predicted = program(normalised(pixels, read_preprocessing(run / "best/preprocessing.json"))).argmax(1)
    assert (predicted == labels).double().mean().item() == best["test_accuracy"]
    with (run / f"trial-{best['trial']:04d}/test_predictions.csv").open() as stream:
        assert [int(row["predicted"]) for row in csv.DictReader(stream)] == predicted.tolist()
    Image.fromarray(pixels[0, :, :, 0].numpy()).save(finished.folder / "digit.png")
    command = [sys.executable, "scripts/predict.py", "digit.png", "--top", "1"]
    printed = subprocess.run(command, cwd=finished.folder, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    network, line = printed.stdout.splitlines()
    assert network == "network: results/tiny/best" and line.startswith(f"digit.png: {predicted[0]} 0.")


def test_best_json_has_the_compute_of_every_stage(finished):
    provenance = json.loads((finished.folder / "results/tiny/study/best.json").read_text())["provenance"]
    jobs = {row["stage"]: row["jobs"] for row in provenance["compute"]}
    assert jobs == {"train_supernet": 1, "search_architecture": 3, "retrain": 3, "retrain_final": 2}
    assert all(row["device"] == "CPU" and row["cpu_seconds"] > 0 for row in provenance["compute"])
    assert provenance["seconds"] == pytest.approx(sum(row["seconds"] for row in provenance["compute"]))


def test_limits_of_each_trial_are_kept(finished):
    for path in (finished.folder / "results/tiny").glob("trial-*/architecture.json"):
        limit = json.loads((path.parent / "suggestion.json").read_text())["params"]["search.constraint.macs"]
        for name, score in (("evaluations", "val_loss"), ("random_evaluations", "random_val_loss")):
            with (path.parent / f"history/{name}.csv").open() as stream:
                evaluations = list(csv.DictReader(stream))
            assert len(evaluations) == 2 * 3 == len({row["decisions"] for row in evaluations})
            assert all(int(row["macs"]) <= limit for row in evaluations)
            assert json.loads(path.read_text())["scores"][score] == min(float(row["val_loss"]) for row in evaluations)


def test_run_ends_with_a_table(finished):
    lines = finished.output.splitlines()
    columns = ["trial", "val", "interval", "test", "interval"]
    start = next(i for i, line in enumerate(lines) if line.split()[:5] == columns)
    rows = [line.split() for line in lines[start + 1 : start + 3]]
    for _, val, val_interval, test, test_interval, *_ in rows:
        for accuracy, interval in ((val, val_interval), (test, test_interval)):
            low, high = map(float, interval.split(".."))
            assert 0 <= low <= float(accuracy) <= high <= 1
    assert any("logistic regression" in line for line in lines[start:])


def test_logs_hold_one_line_per_epoch(finished):
    log = (finished.folder / "results/tiny/shared/logs/train_supernet.log").read_text().splitlines()
    assert log[0].startswith("device: CPU, 1 CPU thread, torch ")
    assert [line.split()[:2] for line in log[1:]] == [["epoch", f"{epoch}/4"] for epoch in range(1, 5)]


def test_report_is_one_offline_page(finished):
    command = [sys.executable, "scripts/make_report.py", "study.yaml"]
    subprocess.run(command, cwd=finished.folder, env=ENVIRONMENT, check=True, capture_output=True)
    run = finished.folder / "results/tiny"
    assert "Which network for digits" in (run / "report.html").read_text()
    for page in (run / "report.html", run / "workflow_report.html"):
        for loaded_from_elsewhere in (
            'src="http',
            "src='http",
            '<link rel="stylesheet" href="http',
            "@import url(http",
        ):
            assert loaded_from_elsewhere not in page.read_text()


def test_second_run_does_nothing(finished):
    assert NOTHING in finished.run("--configfile", "study.yaml", "--cores", "2")


def test_extension_runs_new_trials_and_what_follows(finished):
    counts = planned(finished, {"optimize": {"trial_number": 5}})
    chain = {"suggest": 2, "search_architecture": 2, "retrain": 2}
    assert counts == chain | {"promote": 1, "summarize_study": 1, "export_best": 1, "report": 1, "all": 1}


def test_further_seeds_train_the_promoted_networks_once_more(finished):
    counts = planned(finished, {"final": {"seeds": 3}})
    assert counts == {"retrain_final": 2 * 2, "summarize_study": 1, "export_best": 1, "report": 1, "all": 1}


def test_retraining_settings_rerun_retraining_and_what_was_told_of_it(finished):
    counts = planned(finished, {"retrain": {"label_smoothing": 0.2}})
    assert counts["retrain"] == 3
    # Trial 2 was told a result that changes: its suggestion, and with it its search, may come out otherwise.
    assert (counts["suggest"], counts["search_architecture"]) == (1, 1)
    assert "train_supernet" not in counts


def test_search_settings_leave_the_supernet_alone(finished):
    counts = planned(finished, {"search": {"mutation_prob": 0.3}})
    assert counts["search_architecture"] == 3
    assert "train_supernet" not in counts and "download_dataset" not in counts


@pytest.mark.slow
def test_missing_intermediates_are_made_again(finished):
    run = finished.folder / "results/tiny"
    before = artefacts(run)
    for name in ("shared/supernet.safetensors", "trial-0001/result.json", "study/trials.csv"):
        (run / name).unlink()
    assert planned(finished) == {"train_supernet": 1, "retrain": 1, "summarize_study": 1, "all": 1}
    finished.run("--configfile", "study.yaml", "--cores", "2")
    assert artefacts(run) == before


@pytest.mark.slow
def test_a_change_reaches_the_tables_and_the_report_within_one_run(finished, tmp_path):
    copy = Checkout(shutil.copytree(finished.folder, tmp_path / "copy"))
    best = (copy.folder / "results/tiny/study/best.json").read_text()
    write_config(copy.folder, {"retrain": {"label_smoothing": 0.2}})
    copy.run("--configfile", "study.yaml", "--cores", "2")
    assert (copy.folder / "results/tiny/study/best.json").read_text() != best
    assert NOTHING in copy.run("-n", "--configfile", "study.yaml", "--cores", "2")


@pytest.mark.slow
def test_number_of_promoted_trials_trains_only_the_missing(finished):
    run = finished.folder / "results/tiny"
    done = {path: path.stat().st_mtime_ns for path in run.glob("*/final.json")}
    study = write_config(finished.folder, {"promote": {"top": 3}}, name="three.yaml")
    finished.run("--configfile", study, "--cores", "2")
    assert len(done) == 2 and {path: path.stat().st_mtime_ns for path in done} == done
    assert len([*run.glob("*/final.json")]) == 3
    finished.run("--configfile", "study.yaml", "--cores", "2")
    assert {path: path.stat().st_mtime_ns for path in done} == done


@pytest.mark.slow
def test_a_failed_rerun_is_not_forgotten(finished):
    """What was planned and failed is planned again, also where only files between the stages are missing."""
    study = write_config(
        finished.folder,
        {"run": "failing", "optimize": {"trial_number": 1, "parameters": []}, "promote": {"top": 1}},
        name="failing.yaml",
    )
    finished.run("--configfile", study, "--cores", "2")
    changed = write_config(
        finished.folder,
        {"run": "failing", "optimize": {"trial_number": 1, "parameters": []}, "promote": {"top": 1}},
        {"search": {"mutation_prob": 0.4}},
        name="failing.yaml",
    )
    stage = finished.folder / "scripts/search_architecture.py"
    working = stage.read_text()
    stage.write_text("raise SystemExit('broken')")
    code, _ = finished.run("--configfile", changed, "--cores", "2", "--retries", "0", check=False)
    stage.write_text(working)
    assert code != 0 and not (finished.folder / "results/failing/shared/architecture.json").exists()
    assert job_counts(finished.run("-n", "--configfile", changed))["search_architecture"] == 1


@pytest.mark.parametrize(
    "overlay",
    [
        {"environment": {"num_workers": 3, "device_ids": [0]}},
        {"trainer": {"accelerator": "gpu"}},
        {"trainer": {"enable_progress_bar": True}},
        {"resource": {"num_node": 8}, "ABCI": {"group": "abc"}},
    ],
)
def test_hardware_reruns_nothing(finished, overlay):
    assert planned(finished, overlay) == {}


def test_what_finished_stages_kept_goes_also_if_there_is_nothing_to_be_done(finished):
    """As after a start that was stopped when it had only to note the end of the last job."""
    kept = finished.folder / "results/tiny/shared/.resume/train_supernet-0123/finished"
    kept.mkdir(parents=True)
    (kept / "checksums.json").write_text("{}")
    plan(finished)
    assert kept.exists()
    assert "Nothing to be done" in finished.run("--configfile", "study.yaml", "--cores", "2")
    assert not kept.exists()


def test_order_of_keys_reruns_nothing(finished):
    text = (finished.folder / "study.yaml").read_text()
    blocks = ("\n" + text).split("\n")
    keys = [i for i, line in enumerate(blocks) if line and not line.startswith((" ", "-"))]
    sections = [blocks[i:j] for i, j in zip(keys, [*keys[1:], len(blocks)], strict=True)]
    turned = "\n".join(line for section in reversed(sections) for line in section)
    (finished.folder / "turned.yaml").write_text(turned)
    assert turned != text
    assert NOTHING in finished.run("-n", "--configfile", "turned.yaml")


def test_edited_space_file_reruns_the_chain(finished):
    shipped = finished.folder / "config/search_spaces/config_proxyless_digits.yaml"
    (finished.folder / "mine").mkdir(exist_ok=True)
    text = shipped.read_text().replace("expansion_ratio: [1, 3, 6]", "expansion_ratio: [1, 3, 4]")
    (finished.folder / "mine" / shipped.name).write_text(text)
    counts = planned(finished, {"nas": {"search_space_config_path": "mine"}})
    assert (counts["train_supernet"], counts["search_architecture"], counts["retrain"]) == (1, 3, 3)


def test_a_stage_made_again_is_the_same(finished):
    run = finished.folder / "results/tiny"
    before = artefacts(run)
    forced = ["--forcerun", "search_architecture", "--until", "search_architecture"]
    finished.run("--configfile", "study.yaml", "--cores", "2", *forced)
    finished.run("--configfile", "study.yaml", "--cores", "2")
    assert artefacts(run) == before


FORCED = ("--forcerun", "retrain_final")  # behind a checkpoint: not in the plan where that runs too


def inputs_of(output):
    """Rules of a dry run, with the input files of all their jobs."""
    found, rule = {}, ""
    for line in output.splitlines():
        words = line.split()
        if words and words[0] in ("rule", "localrule", "checkpoint", "localcheckpoint"):
            rule = words[1].rstrip(":")
        elif line.startswith("    input: "):
            found.setdefault(rule, set()).update(line.removeprefix("    input: ").split(", "))
    return found


def test_no_rule_but_the_last_training_has_the_test_part_as_input(finished):
    plans = [finished.run("-n", "-p", *forced, "--configfile", "study.yaml") for forced in (FORCED, ("--forceall",))]
    (final, whole) = (inputs_of(plan) for plan in plans)
    assert whole.keys() > {"suggest", "train_supernet", "search_architecture", "retrain", "promote"}
    commands = [command for plan in plans for command in re.findall(r"python scripts/(\w+)\.py (.*)", plan)]
    assert {script for script, arguments in commands if " --test " in arguments} == {"retrain_final"}
    facts = "results/tiny/shared/dataset.json"  # which names the folder of the arrays
    assert all(facts in files for files in (whole["retrain"], final["retrain_final"]))


@pytest.mark.slow
def test_study_with_the_supernet_of_another_run_and_without_retraining(finished):
    run = finished.folder / "results/taken"
    macs = write_config(finished.folder, name="taken.yaml")
    config = yaml.safe_load((finished.folder / macs).read_text())
    config["run"] = run.name
    config["nas"] |= {"supernet": "results/tiny/shared", "skip_train": True, "skip_retrain": True}
    config["optimize"]["parameters"] = config["optimize"]["parameters"][:1]
    (finished.folder / macs).write_text(yaml.safe_dump(config))
    output = finished.run("--configfile", macs, "--cores", "2")
    counts = job_counts(output)
    assert counts["import_supernet"] == 1 and counts["evaluate_inherited"] == 3
    assert not {"train_supernet", "retrain"} & counts.keys()
    weights = [(folder / "shared/supernet.safetensors").read_bytes() for folder in (run, run.parent / "tiny")]
    assert weights[0] == weights[1]
    for trial in run.glob("trial-*"):
        result, found = (json.loads((trial / f"{name}.json").read_text()) for name in ("result", "architecture"))
        assert result["value"] == result["val_accuracy"] == found["scores"]["val_accuracy"]
    best = json.loads((run / "study/best.json").read_text())
    assert best["test_n"] == 597 and best["test_accuracy"] > 0.2
    assert NOTHING in finished.run("--configfile", macs, "--cores", "2")

"""The stages as the scripts call them, on digits.

Also tested here: `engine.weights`, `stages.baseline` and `stages.retrain_final`.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.costs.table import CostTable, count_macs
from nasmake.data.prepared import Prepared
from nasmake.engine.splits import Splits
from nasmake.engine.weights import read_weights
from nasmake.models.network import Network
from nasmake.pipeline import stages as table
from nasmake.search_spaces import Architecture
from nasmake.stages.baseline import logistic_regression
from nasmake.stages.retrain import retrain
from nasmake.stages.retrain_final import retrain_final
from nasmake.stages.search_architecture import ArchitectureSearch, search_architecture
from nasmake.stages.train_supernet import train_supernet
from nasmake.strategies.constraints import is_feasible
from safetensors import safe_open
from small_jobs import SPACE, artefacts, dying_at, make_job, outputs_of, settings
from small_spaces import shipped

OF_SEARCHES = ("evaluations", "random_evaluations", "probabilities")
SCRIPTS = Path(__file__).parents[2] / "scripts"
STAGES = {
    "train_supernet": train_supernet,
    "search_architecture": search_architecture,
    "retrain": retrain,
    "retrain_final": retrain_final,
}


def run(unit, digits, *stages, **changes):
    for stage in stages or STAGES:
        STAGES[stage](make_job(stage, unit, digits, **changes))
    return artefacts(unit)


@pytest.fixture(scope="module")
def unit(tmp_path_factory, digits):
    """The artefacts of all stages, once."""
    folder = tmp_path_factory.mktemp("study") / "trial-0000"
    run(folder, digits)
    return folder


@pytest.fixture
def copy(unit, tmp_path):
    return Path(shutil.copytree(unit, tmp_path / "trial-0000"))


# What the stages write.


def test_every_stage_writes_its_artefacts_and_nothing_is_left(unit):
    files = [path for path in unit.rglob("*") if path.is_file()]
    written = {str(path.relative_to(unit)) for path in files if "finished" not in path.parts}
    histories = {f"history/{stage}.csv" for stage in STAGES} | {f"history/{name}.csv" for name in OF_SEARCHES}
    assert written == {name for stage in (*STAGES, "search_supernet") for name in outputs_of(stage)} | histories


def test_json_artefacts_have_one_provenance_block(unit):
    for path in unit.glob("*.json"):
        content = read_json(path)
        assert content["state"] == "COMPLETE"
        assert content["provenance"]["device"] == "CPU" and content["provenance"]["versions"]["torch"]


def test_histories_have_one_row_per_epoch_and_per_candidate(unit):
    for stage in STAGES:
        rows = read_csv(unit / "history" / f"{stage}.csv")
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert all(math.isfinite(float(cell)) for row in rows for cell in row.values())
    assert len(read_csv(unit / "history" / "evaluations.csv")) == 6


def test_search_finds_the_best_of_what_it_evaluated(unit):
    architecture = read_json(unit / "architecture.json")
    evaluations = read_csv(unit / "history" / "evaluations.csv")
    best = min(evaluations, key=lambda row: float(row["val_loss"]))
    assert float(best["val_loss"]) == architecture["scores"]["val_loss"]
    assert [int(index) for index in best["decisions"].split()] == architecture["decisions"]
    assert len({row["decisions"] for row in evaluations}) == architecture["scores"]["evaluated"] == 6
    spec = Architecture.from_json(architecture, "architecture.json").spec
    assert architecture["macs"] == count_macs(spec, 1, 8) == int(best["macs"])
    assert (architecture["input_size"], architecture["channels"], architecture["class_num"]) == (8, 1, 10)


def test_result_is_the_last_row_and_the_objective_is_val_accuracy(unit):
    result, row = read_json(unit / "result.json"), read_csv(unit / "history" / "retrain.csv")[-1]
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        assert result[name] == float(row[name])
    assert result["value"] == result["val_accuracy"] and result["trial"] == 0
    architecture = read_json(unit / "architecture.json")
    assert [result["parameters"], result["macs"]] == [architecture["parameters"], architecture["macs"]]


@pytest.mark.parametrize("model, record, part", [("model", "result", "val"), ("final", "final", "test")])
def test_saved_weights_score_what_the_record_says(unit, digits, model, record, part):
    spec = Architecture.from_json(read_json(unit / "architecture.json"), "architecture.json").spec
    network = Network(spec, 1).eval()
    network.load_state_dict(read_weights(unit / f"{model}.safetensors"))
    splits = Splits.open(digits, make_job("retrain", unit, digits).settings, torch.device("cpu"))
    images, labels = splits.evaluation(part, 10000).batch(0, 0)
    with torch.no_grad():
        accuracy = (network(images).argmax(1) == labels).float().mean().item()
    assert read_json(unit / f"{record}.json")[f"{part}_accuracy"] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.parametrize("model, record", [("supernet", "supernet"), ("model", "result"), ("final", "final")])
def test_records_and_weights_say_how_images_are_prepared_and_what_the_outputs_mean(unit, digits, model, record):
    manifest, preprocessing = read_json(digits / "manifest.json"), read_json(unit / f"{record}.json")["preprocessing"]
    facts = {name: manifest[name] for name in ("mean", "std", "classes")}
    assert preprocessing == {"image_size": 8, "channels": 1} | facts
    assert preprocessing["classes"] == list("0123456789") and len(preprocessing["mean"]) == 1
    with safe_open(unit / f"{model}.safetensors", "pt") as weights:
        assert {name: json.loads(text) for name, text in weights.metadata().items()} == {"preprocessing": preprocessing}


def test_final_record_keeps_the_trials_val_scores_and_tests_all_images(unit):
    final, result = read_json(unit / "final.json"), read_json(unit / "result.json")
    assert [final["val_accuracy"], final["val_loss"]] == [result["val_accuracy"], result["val_loss"]]
    assert final["test_n"] == 597 and "baseline" not in final


def test_baseline_is_logistic_regression_on_the_same_images(copy, digits):
    run(copy, digits, "retrain_final", final__baseline=True, final__num_epochs=1)
    prepared = Prepared.open(digits)
    expected = logistic_regression(*(prepared.split(name) for name in ("train", "test")))
    final = read_json(copy / "final.json")
    assert final["baseline"] == {"name": "logistic regression", "test_accuracy": expected}
    assert 0.93 < expected < 0.98 and final["epochs"] == 1


def test_only_the_final_stage_needs_the_test_part(copy, digits, tmp_path):
    blind = Path(shutil.copytree(digits, tmp_path / "blind"))
    for path in blind.glob("test_*"):
        path.unlink()
    before = artefacts(copy)
    again = run(copy, blind, "train_supernet", "search_architecture", "retrain")
    assert again == before
    with pytest.raises(InputError):
        run(copy, blind, "retrain_final")


# The same bytes.


def test_same_jobs_twice_are_the_same_bytes(unit, tmp_path, digits):
    assert run(tmp_path / "other", digits) == artefacts(unit)


@pytest.mark.parametrize("stage", STAGES)
def test_seed_changes_every_stage(copy, digits, stage):
    before = artefacts(copy)
    after = run(copy, digits, stage, nas__seed=7)
    changed = {name for name in before if before[name] != after[name]}
    assert set(outputs_of(stage)) <= changed


def command(stage, unit, digits, **changes):
    space = {"search_space": SPACE} if stage in ("train_supernet", "search_architecture") else {}
    observed = settings(stage, **changes) | space | {"version": table.STAGES[stage].version}
    files = {name: str(path) for name, path in make_job(stage, unit, digits).inputs.items()}
    write_json(unit / "suggestion.json", {"trial": 0, "params": {}})
    arguments = {
        "settings": json.dumps(observed),
        "manifest": str(digits / "manifest.json"),
        "suggestion": str(unit / "suggestion.json"),
        "accelerator": "cpu",
        "unit": str(unit),
        **files,
    }
    return [sys.executable, str(SCRIPTS / f"{stage}.py"), *(f"--{key}={value}" for key, value in arguments.items())]


def test_script_is_the_function_and_the_environments_threads_do_not_count(unit, tmp_path, digits):
    """Snakemake sets OMP_NUM_THREADS to the rule's threads; with the cores at hand, bits would change."""
    environment = os.environ | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    other = tmp_path / "trial-0000"
    argv = command("train_supernet", other, digits)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    (other / "suggestion.json").unlink()
    found, expected = artefacts(other), artefacts(unit)
    assert found == {name: expected[name] for name in found} and len(found) == 3
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["device:", "epoch", "epoch"]


@pytest.mark.slow
def test_script_terminated_in_the_middle_fails_and_goes_on_where_it_stopped(tmp_path, digits, capsys):
    long = {
        "nas__num_epochs_supernet_train": 60,
        "supernet__batch_size": 50,
        "dataset__num_data_architecture_search": 1100,
    }
    reference = run(tmp_path / "reference", digits, "train_supernet", **long)
    unit = tmp_path / "trial-0000"
    with subprocess.Popen(
        command("train_supernet", unit, digits, **long), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("epoch    2/") for line in lines)
        process.send_signal(signal.SIGTERM)
        output = [*lines]
        assert process.wait(60) == 128 + signal.SIGTERM
    assert output[-1] == "stopped by SIGTERM; the training state is saved\n"
    assert not (unit / "supernet.json").exists() and not (unit / "supernet.safetensors").exists()
    assert list(unit.glob(".resume/train_supernet-*/training.ckpt"))
    capsys.readouterr()
    (unit / "suggestion.json").unlink()
    assert run(unit, digits, "train_supernet", **long) == reference
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(rows) == 60 and not rows[1].endswith(" s") and rows[-1].endswith(" s")  # old rows carry no time
    assert {path.name for path in unit.glob(".resume/*/*")} == {"finished"}


@pytest.mark.parametrize("wanted", [0, 2, 4, 5])
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_terminated_at_a_step_ends_the_same(unit, copy, digits, monkeypatch, stage, wanted):
    from nasmake.stages.retrain import Retraining
    from nasmake.stages.train_supernet import SupernetTraining

    module = {"train_supernet": SupernetTraining, "search_architecture": ArchitectureSearch}.get(stage, Retraining)
    for name in outputs_of(stage):
        (copy / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(module, "training_step", dying_at(module.training_step, wanted))
        with pytest.raises(SystemExit) as ended:
            run(copy, digits, stage)
    assert ended.value.code == 143
    assert not any((copy / name).exists() for name in outputs_of(stage))
    assert run(copy, digits, stage) == artefacts(unit)


DIAGNOSTICS = {"asng": {"entropy", "Delta", "snr"}, "reinforce": {"max_probability"}, "nsga2": {"front_size"}}


@pytest.mark.parametrize(("algorithm", "wanted"), [*zip(DIAGNOSTICS, (1, 3, 5), strict=True)])
def test_search_by_reward_terminated_at_a_step_ends_the_same(copy, digits, monkeypatch, algorithm, wanted):
    """Two epochs of three steps. Generations of a distribution are of two: the second spans both, the last is one."""
    changes = {"search__algorithm": algorithm, "search__samples_per_update": 2}
    changes |= {"search__objective": "mnasnet_reward", "search__reward": {"metric": "parameters", "target": 20000}}
    whole = run(copy, digits, "search_architecture", **changes)
    rows = read_csv(copy / "history" / "search_architecture.csv")
    assert len(rows) == 2 and DIAGNOSTICS[algorithm] <= rows[0].keys()
    assert all(math.isfinite(float(row[name])) for row in rows for name in DIAGNOSTICS[algorithm])
    evaluations = read_csv(copy / "history" / "evaluations.csv")
    assert len({row["decisions"] for row in evaluations}) == len(evaluations) == int(rows[-1]["evaluated"]) <= 6
    for row in evaluations:
        reward = float(row["val_accuracy"]) * (int(row["parameters"]) / 20000) ** -0.07
        assert float(row["objective"]) == pytest.approx(-reward)
    best = whole["architecture.json"]["scores"]["objective"]
    assert best == float(rows[-1]["best_objective"]) == min(float(row["objective"]) for row in evaluations)
    (copy / "architecture.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(ArchitectureSearch, "training_step", dying_at(ArchitectureSearch.training_step, wanted))
        with pytest.raises(SystemExit):
            run(copy, digits, "search_architecture", **changes)
    assert run(copy, digits, "search_architecture", **changes) == whole


# Divergence is a result.


def test_supernet_that_diverges_makes_a_pruned_trial(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    found = run(unit, digits, "train_supernet", "search_architecture", "retrain", **diverging("supernet__lr"))
    for name in ("supernet.json", "architecture.json", "result.json"):
        assert found[name]["state"] == "PRUNED"
        assert found[name]["reason"].startswith(("train_supernet: not finite in epoch", "search_architecture: not"))
    assert found["result.json"]["value"] is None and found["result.json"]["trial"] == 0
    assert "decisions" not in found["architecture.json"]
    for name in ("train_supernet", "search_architecture", "retrain", *OF_SEARCHES):
        assert (unit / "history" / f"{name}.csv").is_file()
    assert {path.name for path in unit.glob(".resume/*/*")} == {"finished"}


def diverging(key):
    """A learning rate that breaks any network, and nothing that holds the gradient back."""
    return {key: 1e20, f"{key.partition('__')[0]}__gradient_clip": None, "nas__num_epochs_supernet_train": 3}


def test_pruned_search_ends_in_result_json_with_exit_code_0(tmp_path, digits):
    unit = tmp_path / "trial-0000"
    write_json(unit / "architecture.json", {"state": "PRUNED", "reason": "train_supernet: not finite in epoch 3: x"})
    done = subprocess.run(command("retrain", unit, digits), capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    result = read_json(unit / "result.json")
    assert (result["state"], result["value"], result["trial"]) == ("PRUNED", None, 0)
    assert result["reason"] == "train_supernet: not finite in epoch 3: x"
    assert all((unit / name).is_file() for name in outputs_of("retrain"))


def test_retraining_that_diverges_is_pruned_with_the_facts_of_its_network(copy, digits):
    found = run(copy, digits, "retrain", **diverging("retrain__hyperparameters__base_lr"))
    result = found["result.json"]
    assert result["state"] == "PRUNED" and result["value"] is None
    assert result["reason"].startswith("retrain: not finite in epoch ") and "\n" not in result["reason"]
    assert result["architecture"] and result["macs"] > 0
    assert "val_accuracy" not in result


def test_final_training_that_diverges_is_pruned_too(copy, digits):
    found = run(copy, digits, "retrain_final", **diverging("retrain__hyperparameters__base_lr"))["final.json"]
    assert found["state"] == "PRUNED" and found["reason"].startswith("retrain_final: ")
    assert "test_accuracy" not in found and found["val_accuracy"] == read_json(copy / "result.json")["val_accuracy"]


def test_supernet_that_breaks_in_its_very_last_step_is_pruned_later(tmp_path, digits):
    """The loss of a step is that of the weights before it, so the last update is judged by the search."""
    unit = tmp_path / "trial-0000"
    one_step = {"nas__num_epochs_supernet_train": 1, "supernet__batch_size": 600}
    found = run(
        unit, digits, "train_supernet", "search_architecture", "retrain", **diverging("supernet__lr") | one_step
    )
    assert found["supernet.json"]["state"] == "COMPLETE"
    assert found["architecture.json"]["state"] == found["result.json"]["state"] == "PRUNED"


def test_final_training_that_breaks_in_its_very_last_step_is_pruned(copy, digits):
    one_step = {"final__num_epochs": 1, "retrain__hyperparameters__batch_size": 1200}
    found = run(copy, digits, "retrain_final", **diverging("retrain__hyperparameters__base_lr") | one_step)
    assert found["final.json"]["state"] == "PRUNED"


def test_supernet_at_chance_ends_the_trial_unless_the_key_is_off(copy, digits):
    assert read_json(copy / "architecture.json")["state"] == "COMPLETE"  # the key is off in all other tests
    found = run(copy, digits, "search_architecture", "retrain", search__prune_at_chance=True)
    evaluated = read_csv(copy / "history" / "evaluations.csv")
    assert len(evaluated) == 6 and read_csv(copy / "history" / "random_evaluations.csv") == []
    best = min(float(row["val_loss"]) for row in evaluated)
    cause = f"supernet at chance: best val loss of 6 networks is {best:.4f}; expected less than 2.29"
    for name in ("architecture.json", "result.json"):
        assert found[name]["state"] == "PRUNED" and found[name]["reason"].startswith(f"search_architecture: {cause}")
    assert found["history/retrain.csv"].count(b"\n") == 1  # nothing was retrained


# Limits and mistakes.


def test_no_candidate_above_the_limit_is_evaluated(copy, digits):
    costs = CostTable(shipped("proxyless_digits"), 1, 8)
    limit = 500_000
    run(copy, digits, "search_architecture", search__constraint__macs=limit, search__population_size=8)
    rows = read_csv(copy / "history" / "evaluations.csv")
    assert len(rows) == 16 and all(int(row["macs"]) <= limit for row in rows)
    job = make_job("search_architecture", copy, digits, search__constraint__macs=limit)
    architecture = read_json(copy / "architecture.json")
    assert architecture["macs"] <= limit and is_feasible(costs, job.settings.search, tuple(architecture["decisions"]))


def test_space_with_a_handful_of_networks_is_searched_to_its_end(copy, digits):
    costs = CostTable(shipped("proxyless_digits"), 1, 8)
    limit = costs.macs(costs.cheapest("macs"))
    found = run(copy, digits, "search_architecture", search__constraint__macs=limit)
    assert found["architecture.json"]["scores"]["evaluated"] == 1
    assert len(read_csv(copy / "history" / "evaluations.csv")) == 1


def test_limit_below_every_network_is_one_line(copy, digits):
    with pytest.raises(InputError, match=r"search\.constraint\.macs is 1; expected \d+ or more, which the cheapest"):
        run(copy, digits, "search_architecture", search__constraint__macs=1)


def test_damaged_weights_are_one_line(copy, digits):
    (copy / "supernet.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError) as error:
        run(copy, digits, "search_architecture")
    assert "supernet.safetensors: not a safetensors file" in str(error.value) and "\n" not in str(error.value)


def test_supernet_of_another_space_is_one_line(copy, digits):
    record = read_json(copy / "supernet.json")
    space_hash = shipped("proxyless_digits").hash
    assert record["search_space"] == {"name": "proxyless_digits", "hash": space_hash}
    write_json(copy / "supernet.json", record | {"search_space": {"name": "other", "hash": "0" * 16}})
    with pytest.raises(InputError) as error:
        run(copy, digits, "search_architecture")
    text = f"trained in the space other ({'0' * 16}), not in proxyless_digits ({space_hash}); remove it"
    text = f"supernet.safetensors: {text}"
    assert text in str(error.value) and "\n" not in str(error.value)

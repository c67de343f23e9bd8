import pytest
from nasmake.core.files import read_csv, read_json, write_json
from nasmake.core.records import FAIL, read_final, read_result
from nasmake.engine.weights import read_weights
from nasmake.jobs.failed import write_failed
from nasmake.pipeline.stages import STAGES
from small_results import result

REASON = "stage: RuntimeError: boom"


@pytest.mark.parametrize("stage", ["train_supernet", "search_architecture", "search_supernet", "retrain"])
def test_every_artefact_of_a_failed_stage_is_there_and_can_be_read(tmp_path, stage):
    unit = tmp_path / "trial-0003"
    write_failed(stage, unit, REASON, {"host": "a"})
    for artefact in STAGES[stage].outputs.values():
        path = unit / artefact
        if path.suffix == ".json":
            content = read_json(path)
            assert (content["state"], content["reason"], content["provenance"]) == (FAIL, REASON, {"host": "a"})
        else:
            assert not (read_weights(path) if path.suffix == ".safetensors" else read_csv(path))


def test_a_failed_trial_has_a_number_and_no_value(tmp_path):
    write_failed("retrain", tmp_path / "trial-0003", REASON, {})
    read = read_result(tmp_path / "trial-0003" / "result.json")
    assert (read.trial, read.state, read.value, read.outcome, read.stopped_in) == (3, FAIL, None, "failed", "stage")


def test_a_failed_final_training_keeps_the_scores_of_its_trial(tmp_path):
    unit = tmp_path / "trial-0003"
    write_json(unit / "result.json", result(3, 0.75))
    write_failed("retrain_final", unit, REASON, {})
    read = read_final(unit / "final.json")
    assert (read.trial, read.state, read.val_accuracy, read.test_accuracy) == (3, FAIL, 0.75, None)


def test_a_shared_stage_can_fail(tmp_path):
    write_failed("train_supernet", tmp_path / "shared", REASON, {})
    assert read_json(tmp_path / "shared" / "supernet.json")["state"] == FAIL

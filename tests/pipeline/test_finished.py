"""What finished stages kept is removed when the study has ended, unless a process holds the stage."""

import pytest
from nasmake.pipeline.finished import forget_finished


@pytest.mark.parametrize("unit", ["trial-0000", "ranking/seed-101"], ids=["study", "evidence"])
def test_kept_results_are_removed_and_training_states_stay(tmp_path, unit):
    states = tmp_path / unit / ".resume"
    for stage in ("retrain-1", "retrain-2", "retrain-3"):
        (states / stage / "finished").mkdir(parents=True)
    for stage in ("retrain-1", "retrain-2"):
        (states / stage / "finished/checksums.json").touch()
    (states / "retrain-2.lock").touch()
    forget_finished(tmp_path)
    assert {path.name for path in states.iterdir()} == {"retrain-2", "retrain-2.lock", "retrain-3"}

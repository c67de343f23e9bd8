"""What finished stages kept is removed when the study has ended, unless a process holds the stage."""

from nasmake.pipeline.finished import forget_finished


def test_kept_results_are_removed_and_training_states_stay(tmp_path):
    for stage in ("retrain-1", "retrain-2", "retrain-3"):
        (tmp_path / "trial-0000/.resume" / stage / "finished").mkdir(parents=True)
    for stage in ("retrain-1", "retrain-2"):
        (tmp_path / "trial-0000/.resume" / stage / "finished/checksums.json").touch()
    (tmp_path / "trial-0000/.resume/retrain-2.lock").touch()
    forget_finished(tmp_path)
    left = {path.name for path in (tmp_path / "trial-0000/.resume").iterdir()}
    assert left == {"retrain-2", "retrain-2.lock", "retrain-3"}

"""engine.resume: a stage that starts removes the temporaries that a killed job left in its folders."""

import socket

from nasmake.engine.resume import resume_folder


def test_temporaries_of_a_killed_job_are_removed(tmp_path):
    unit = tmp_path / "trial-0000"
    state = unit / ".resume" / "retrain-0123"
    left = f".training.ckpt.{socket.gethostname()}.999999999.tmp"
    for folder in (unit, state):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / left).touch()
    with resume_folder(unit, "retrain", "0123", [unit / "result.json"]) as folder:
        assert folder.path == state
        assert not list(unit.rglob("*.tmp"))
        (unit / "result.json").write_text("{}")

import subprocess
import sys
import threading
import time

import pytest
from nasmake.engine import resume
from nasmake.engine.resume import resume_folder
from nasmake.jobs.cli import AlreadyDoneError

# A process that holds the folder until it is told to go on, and then finishes the stage or dies.
HOLDER = """
import os, sys
from pathlib import Path
from nasmake.engine.resume import resume_folder
unit = Path(sys.argv[1])
with resume_folder(unit, "retrain", "f1", [unit / "result.json"]) as folder:
    (folder.path / "state").write_text("saved")
    print("holding", flush=True)
    if sys.stdin.readline() == "die\\n":
        os._exit(9)
    (unit / "result.json").write_text("{}")
"""


class Holder:
    def __init__(self, unit):
        command = [sys.executable, "-c", HOLDER, str(unit)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "holding\n"

    def end(self, how):
        self.process.communicate(f"{how}\n", timeout=60)


def hold(unit, fingerprint="f1"):
    return resume_folder(unit, "retrain", fingerprint, [unit / "result.json"])


def test_folder_is_removed_at_the_end_and_left_by_an_exception(tmp_path):
    with pytest.raises(OSError), hold(tmp_path) as folder:
        (folder.path / "training.ckpt").touch()
        raise OSError
    with hold(tmp_path) as folder:
        assert folder.checkpoint.exists() and folder.checkpoint.parent == folder.path
        (folder.path / "3").mkdir()  # a stage that trains several networks has a folder for each
        (folder.path / "3/training.ckpt").touch()
        (tmp_path / "result.json").write_text("{}")
    assert kept(tmp_path) == {"checksums.json", "result.json"}


def kept(unit):
    """Names of the files that stay after the end of a stage; there is no training state any more."""
    (folder,) = (unit / ".resume").iterdir()
    assert [path.name for path in folder.iterdir()] == ["finished"]
    return {path.name for path in (folder / "finished").iterdir()}


def test_finished_outputs_are_put_back_after_snakemake_has_deleted_them(tmp_path):
    output = tmp_path / "result.json"
    with hold(tmp_path):
        output.write_text('{"value": 1}')
    for _ in range(2):  # the second time, the output is there: the job of a dead controller wrote it after the deletion
        with pytest.raises(AlreadyDoneError, match="done by an earlier job"), hold(tmp_path):
            raise AssertionError("computed again")
        assert output.read_text() == '{"value": 1}'


def test_if_another_start_deletes_an_output_its_job_makes_it_again_from_the_state(tmp_path):
    outputs = [tmp_path / "history.csv", tmp_path / "result.json"]
    with resume_folder(tmp_path, "retrain", "f1", outputs) as folder:
        folder.checkpoint.write_text("after the last epoch")
        for output in outputs:
            output.write_text("1")
        outputs[0].unlink()  # the other start deletes what it finds before its job begins
    with resume_folder(tmp_path, "retrain", "f1", outputs) as folder:
        assert folder.checkpoint.read_text() == "after the last epoch"
        outputs[0].write_text("1")
    outputs[0].unlink()
    with pytest.raises(AlreadyDoneError), resume_folder(tmp_path, "retrain", "f1", outputs):
        raise AssertionError("computed again")
    assert outputs[0].read_text() == "1"


def test_damaged_kept_outputs_are_computed_again(tmp_path):
    output = tmp_path / "result.json"
    with hold(tmp_path):
        output.write_text('{"value": 1}')
    output.write_text('{"value": 2}')  # the kept file is a link to this one
    output.unlink()
    with hold(tmp_path):
        output.write_text('{"value": 1}')


def test_kept_outputs_of_other_settings_are_not_taken(tmp_path):
    output = tmp_path / "result.json"
    with hold(tmp_path, "f1"):
        output.write_text('{"value": 1}')
    output.unlink()
    with hold(tmp_path, "f2"):
        output.write_text('{"value": 2}')


def test_system_exit_leaves_the_state_too(tmp_path):
    with pytest.raises(SystemExit), hold(tmp_path) as folder:
        raise SystemExit(143)
    assert folder.path.is_dir() and not list(folder.path.parent.glob("*.lock"))


def test_other_settings_have_another_folder(tmp_path):
    with hold(tmp_path, "f1") as first, hold(tmp_path, "f2") as second:
        assert first.path != second.path
    assert first.path.name == "retrain-f1" and first.path.parent == tmp_path / ".resume"


def test_outputs_that_were_there_before_do_not_stop_the_stage(tmp_path):
    """Snakemake decides what is out of date; only a process that had to wait may take another's work for its own."""
    (tmp_path / "result.json").touch()
    with hold(tmp_path) as folder:
        assert folder.path.is_dir()


@pytest.fixture
def printed(monkeypatch):
    """What resume_folder prints, from whichever thread: capsys loses what is printed while it is read."""
    lines = []
    monkeypatch.setattr(resume, "print", lambda line, flush: lines.append(line), raising=False)
    return lines


def until_waiting(printed, number):
    deadline = time.monotonic() + 60
    while sum(line.startswith("waiting: another process is at work on this stage") for line in printed) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_in_a_thread(unit, printed):
    """Start to wait for the folder; returns once the waiting has begun."""
    ended = []

    def wait():
        try:
            with hold(unit) as folder:
                ended.append((folder.path / "state").exists())
        except AlreadyDoneError:
            ended.append(AlreadyDoneError)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until_waiting(printed, 1)
    return thread, ended


def test_second_process_waits_and_finds_the_work_done(tmp_path, printed):
    holder = Holder(tmp_path)
    thread, ended = wait_in_a_thread(tmp_path, printed)
    assert ended == []
    holder.end("finish")
    thread.join(60)
    assert ended == [AlreadyDoneError]
    assert kept(tmp_path) == {"checksums.json", "result.json"}


def test_second_process_goes_on_where_a_dead_one_stopped(tmp_path, printed):
    holder = Holder(tmp_path)
    thread, ended = wait_in_a_thread(tmp_path, printed)
    holder.end("die")
    thread.join(60)
    assert ended == [True]  # with the state that the dead one had saved


def test_of_many_that_wait_one_does_the_work_and_the_others_see_it(tmp_path, printed):
    holder = Holder(tmp_path)
    done, seen = [], []

    def work():
        try:
            with hold(tmp_path):
                done.append(1)
                (tmp_path / "result.json").write_text("{}")
        except AlreadyDoneError:
            seen.append(1)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    until_waiting(printed, len(threads))
    holder.end("die")
    for thread in threads:
        thread.join(60)
    assert (len(done), len(seen)) == (1, 3)


def test_lock_of_a_killed_process_is_free(tmp_path):
    Holder(tmp_path).end("die")
    with hold(tmp_path) as folder:
        assert (folder.path / "state").read_text() == "saved"

"""The journal of a running study, and a real optuna-dashboard that reads it."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import optuna
import pytest
from nasmake.config.configfiles import merged
from nasmake.core.files import read_json, write_json
from nasmake.pipeline.plan import Plan
from nasmake.report.live_journal import LiveJournal
from test_console import result
from test_status import in_an_empty_folder, run  # noqa: F401

EPOCH = "epoch    {}/10  train_loss    2.1000  val_loss    2.0000  val_accuracy    0.{}000  lr    0.0500     0.5 s\n"


@pytest.fixture
def journal(run, in_an_empty_folder):  # noqa: F811
    """The journal of a study whose trial 0 is finished; trial 1 has trained two epochs."""
    for trial in (0, 1):
        made = {"started": f"2026-01-01T10:0{trial}:00Z", "seconds": 0.5}
        suggestion = {"trial": trial, "params": {"search.constraint.macs": 500000 + trial}, "provenance": made}
        write_json(run / f"trial-000{trial}/suggestion.json", suggestion)
    result(run, 0, 0.93, provenance={"started": "2026-01-01T10:20:00Z", "seconds": 90.0})
    (run / "trial-0000/history/retrain.csv").write_text("epoch,val_accuracy\n1,0.5\n2,0.93\n")
    (run / "trial-0001/logs").mkdir()
    (run / "trial-0001/logs/retrain.log").write_text(EPOCH.format(1, 3) + EPOCH.format(2, 6))
    journal = LiveJournal(Plan(merged([run / "config.yaml"])))
    journal.update()
    return journal


def trials_of(path):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    return optuna.load_study(study_name="half", storage=storage).trials


def test_journal_has_real_times_epochs_and_attributes(run, journal):  # noqa: F811
    done, at_work = trials_of(journal.path)
    assert (done.state.name, done.value, done.intermediate_values) == ("COMPLETE", 0.93, {1: 0.5, 2: 0.93})
    assert done.duration.total_seconds() == pytest.approx(20 * 60 + 90 - 0.5)
    assert done.user_attrs == {"architecture": "x", "macs": 788352, "parameters": 34642, "val_loss": 0.2}
    assert (at_work.state.name, at_work.intermediate_values) == ("RUNNING", {1: 0.3, 2: 0.6})


def test_what_happens_later_is_added_at_the_next_look_and_by_another_process(run, journal):  # noqa: F811
    result(run, 1, 0.95)
    journal.update()
    assert [trial.value for trial in trials_of(journal.path)] == [0.93, 0.95]
    before = journal.path.read_bytes()
    LiveJournal(journal.plan).update()
    assert journal.path.read_bytes() == before
    write_json(run / "trial-0001/final.json", read_json(run / "trial-0001/result.json") | {"test_accuracy": 0.9})
    journal.update()
    assert trials_of(journal.path)[1].user_attrs["test_accuracy"] == 0.9
    journal.path.unlink()
    journal.update()
    assert len(trials_of(journal.path)) == 2


def test_dashboard_lists_the_trials_of_a_study_that_goes_on(run, journal):  # noqa: F811
    program = Path(sys.executable).with_name("optuna-dashboard")
    if not program.is_file():
        pytest.skip("needs optuna-dashboard, which the extra `dashboard` installs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([program, journal.path, "--port", str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, {0: "Complete", 1: "Running"})
            result(run, 1, 0.95)
            journal.update()
            wait_for(port, {0: "Complete", 1: "Complete"})
            write_json(
                run / "trial-0001/final.json", read_json(run / "trial-0001/result.json") | {"test_accuracy": 0.9}
            )
            journal.update()  # deletes the study and writes it anew
            wait_for(port, {0: "Complete", 1: "Complete"}, number=1)
        finally:
            server.terminate()


def wait_for(port, expected, number=0, patience=60.0):
    """Wait until the server lists a study with these states of its trials. It keeps a list for some seconds."""
    end = time.monotonic() + patience
    while (found := states(port)) != (number, expected):
        assert time.monotonic() < end, found
        time.sleep(0.2)


def states(port):
    """Return the number of the only study, and the state of each trial; None while the server starts."""
    ask = lambda path: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies{path}", timeout=10))  # noqa: E731
    try:
        (study,) = ask("")["study_summaries"]
        trials = ask(f"/{study['study_id']}?after=0")["trials"]
    except OSError:
        return None
    return study["study_id"], {trial["number"]: trial["state"] for trial in trials}

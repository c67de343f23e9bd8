"""A study of many trials: killed in the middle, continued, and extended."""

import os
import signal
import time

import pytest
from scale import command, jobs_run, stub_stages
from test_dag import job_counts

TRIALS, MORE = 40, 4


@pytest.mark.slow
def test_a_killed_and_extended_study_runs_new_jobs_only(checkout):
    stub_stages(checkout)
    killed = checkout.start(*command(checkout, TRIALS))
    deadline = time.monotonic() + 300
    while sum(jobs_run(checkout).values()) < TRIALS and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = jobs_run(checkout)
    assert TRIALS <= sum(before.values()) < 2 * TRIALS

    checkout.run(*command(checkout, TRIALS))
    ran = jobs_run(checkout)
    units = [f"trial-{trial:04d}" for trial in range(TRIALS)]
    assert {f"{rule} {unit}" for rule in ("suggest", "retrain") for unit in units} <= ran.keys()
    assert sum(count - 1 for count in ran.values()) <= 4  # jobs whose end the killed controller did not see

    checkout.run(*command(checkout, TRIALS + MORE))
    new = [f"trial-{trial:04d}" for trial in range(TRIALS, TRIALS + MORE)]
    again = jobs_run(checkout) - ran
    assert set(again) == {f"{rule} {unit}" for rule in ("suggest", "retrain") for unit in new} | {
        f"retrain_final {new[-1]}",  # the stubs score a later trial higher, so the last one is promoted
        "export_best study",
        "report report",
    }
    assert "Nothing to be done" in checkout.run("-n", *command(checkout, TRIALS + MORE))


@pytest.mark.slow
def test_a_missing_artefact_of_any_kind_is_made_again_alone(checkout):
    stub_stages(checkout)
    checkout.run(*command(checkout, 3))
    run = checkout.folder / "results" / "scale"
    for rule, name in (
        ("search_architecture", "shared/history/evaluations.csv"),
        ("retrain", "trial-0001/history/retrain.csv"),
        ("export_best", "best/model_card.md"),
        ("report", "report/study.svg"),
    ):
        before = jobs_run(checkout)
        (run / name).unlink()
        reason = f"nasmake: {rule}: 1 existing result is made again: a file is missing"
        assert [line for line in checkout.run("-n", *command(checkout, 3)).splitlines() if "made again" in line] == [
            reason
        ]
        checkout.run(*command(checkout, 3))
        assert (run / name).is_file()
        assert sum((jobs_run(checkout) - before).values()) == 1


@pytest.mark.slow
def test_the_last_of_600_trials_can_be_asked_for_alone(checkout):
    """Snakemake follows the chain of suggestions by recursion, for which Python's own limit is too low."""
    target = "results/scale/trial-0599/result.json"
    counts = job_counts(checkout.run("-n", *command(checkout, 600), "--", target))
    assert counts["suggest"] == 600

"""Trials that failed, diverged or were pruned in nasmake.report.summary, the table of trials and all figures."""

import time
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.core.records import read_result
from nasmake.jobs.failed import write_failed
from nasmake.pipeline.stages import CHAIN
from nasmake.report.results import read_study_results
from nasmake.report.study_figures import figures_of
from nasmake.report.style import svg
from nasmake.report.summary import (
    best_of,
    failures,
    final_notes,
    outcome_notes,
    promote,
    trial_columns,
    trial_rows,
)
from nasmake.report.trials_table import trials_table
from small_results import diverged, final, final_records, records, result
from small_run import LR, MACS, SUPERNET_LR, groups, optimize, small_run

BOOM = "retrain: ValueError: boom (layers.py line 3); log: results/x/trial-0002/logs/retrain.log"
PRUNED = "retrain: pruned in epoch 3: val accuracy 0.1000 is below 0.5000, the median of told trials"
AT_CHANCE = "search_architecture: supernet at chance: best val loss of 6 networks is 2.3020; expected less than 2.2946"


def failed(trial, reason=BOOM):
    return {"trial": trial, "state": "FAIL", "value": None, "reason": reason}


def test_summary_counts_every_outcome_and_groups_the_causes():
    again = BOOM.replace("0002", "0003")
    given_up = failed(6, "retrain: given up: the disk: broken")
    results = records(
        result(0, 0.5), diverged(1), failed(2), failed(3, again), diverged(4, PRUNED), diverged(5), given_up
    ) + records(diverged(7, AT_CHANCE))
    log = "log: results/x/trial-0002/logs/retrain.log"
    assert outcome_notes(results) == [
        "8 trials: 1 completed, 2 pruned, 2 diverged, 3 failed",
        "diverged in retrain: trial 1, 5; not finite in epoch 1",
        f"failed in retrain: trial 2, 3; ValueError: boom (layers.py line 3); {log}",
        "pruned in retrain: trial 4; pruned in epoch 3",
        "failed in retrain: trial 6; given up: the disk: broken",
        "pruned in search_architecture: trial 7; supernet at chance",
    ]
    assert outcome_notes(records(result(0, 0.5))) == ["1 trials: 1 completed"]


def test_many_trials_with_one_cause_are_cut():
    lines = outcome_notes(records(*(diverged(trial) for trial in range(30))))
    assert lines[1] == "diverged in retrain: trial 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...; not finite in epoch 1"


def test_table_of_trials_tells_failed_diverged_and_pruned_apart():
    results = records(result(0, 0.5), diverged(1), failed(2), diverged(3, PRUNED))
    rows = trial_rows(results, [{}] * 4, [])
    assert trial_columns(optimize(4), results)[-1] == "reason"
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("COMPLETE", None),
        ("PRUNED", "retrain: not finite in epoch 1"),
        ("FAIL", BOOM),
        ("PRUNED", PRUNED),
    ]


def test_failed_trials_are_not_promoted_and_name_the_remedy_if_there_is_nothing_else():
    assert promote(records(failed(0), result(1, 0.1)), 3) == [1]
    with pytest.raises(InputError) as error:
        promote(records(diverged(0), failed(1), failed(2)), 1)
    assert str(error.value) == (
        "no trial of 3 completed, so there is nothing to promote; retrain: not finite in epoch 1; "
        f"{BOOM}; type: python scripts/retry_trial.py 1 --configfile <your file>"
    )


def test_next_promoted_trial_replaces_one_whose_final_training_failed():
    reason = "retrain_final: ValueError: boom"
    broken, complete = final_records(final(3, 0.9, None, test_n=None) | failed(3, reason), final(1, 0.8, 0.7))
    _, best = best_of({Path("a"): broken, Path("b"): complete})
    assert best.trial == 1
    assert final_notes([broken, complete], best) == [
        f"trial 3 has no final network; {reason}; the best of the others is trial 1"
    ]
    with pytest.raises(InputError) as error:
        best_of({Path("a"): broken})
    assert str(error.value) == (
        f"no final training of 1 promoted trials completed; {reason}; raise promote.top, or lower "
        "retrain.hyperparameters.base_lr if training diverged"
    )


@pytest.mark.parametrize("stage", CHAIN)
def test_report_shows_a_trial_that_failed_in_any_stage(tmp_path, stage):
    study = optimize(4, SUPERNET_LR, MACS, LR)
    run = small_run(tmp_path, study, pruned=(3,))
    reason = f"{stage}: ValueError: boom"
    for later in CHAIN[CHAIN.index(stage) :]:
        write_failed(later, run / "trial-0000", reason, {})
    results = read_study_results(run, study, CHAIN)
    assert {"failed", reason} <= set(trials_table(results).rows[0])
    figures = {name: svg(draw, results) for name, draw in figures_of(results).items()}
    assert b"diverged or failed: no objective" in figures["study"] or groups(figures["study"], "pruned")
    assert read_result(run / "trial-0000" / "result.json").outcome == "failed"


def test_a_failed_final_training_has_an_empty_curve(tmp_path):
    study = optimize(4, MACS, LR)
    run = small_run(tmp_path, study)
    write_failed("retrain_final", run / "trial-0003", "retrain_final: ValueError: boom", {})
    assert svg(
        figures_of(read_study_results(run, study, CHAIN))["learning_curves"], read_study_results(run, study, CHAIN)
    )


def log_of(unit, text, stage="retrain"):
    path = unit / "logs" / f"{stage}.log"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_job_that_was_killed_without_a_word_is_named(tmp_path):
    killed = log_of(tmp_path / "trial-0000", "epoch 1\n")
    log_of(tmp_path / "trial-0001", "stopped by SIGTERM; the training state is saved\n")
    done = log_of(tmp_path / "trial-0002", "epoch 1\n").parents[1]
    write_failed("retrain", done, BOOM, {})
    error = log_of(tmp_path / "trial-0003", "error: nas.seed is x\n")
    silent = log_of(tmp_path / "trial-0004", "")
    (first, second, third) = failures(tmp_path, time.time() - 60)
    assert first.startswith(
        f"{killed}: ended without an error; the system may have killed the job, as it does when memory"
    )
    assert second == f"{error}: error: nas.seed is x"
    assert third.startswith(f"{silent}: is empty: the job did not start, as when the cluster refuses it, or")

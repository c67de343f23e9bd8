"""The console of a running study: a line for each job and each trial in place of Snakemake's blocks."""

import logging
import re

import pytest
import yaml
from nasmake.config.configfiles import merged
from nasmake.core.files import write_json
from nasmake.pipeline.plan import Plan
from nasmake.report.console import Console
from snakemake_interface_logger_plugins.common import LogEvent
from test_status import begin, in_an_empty_folder, run  # noqa: F401

SCORES = {"val_loss": 0.2, "architecture": "x", "parameters": 34642, "macs": 788352, "state": "COMPLETE"}


@pytest.fixture
def console(run, in_an_empty_folder):  # noqa: F811
    """The console of the run, and the lines that it printed, without the time or the indentation before them."""
    lines = []
    write = lambda line: lines.append(re.sub(r"^[\d:]{8}  |^    ", "", line))  # noqa: E731
    return Console(Plan(merged([run / "config.yaml"])), write), lines


def record(text="", **facts):
    made = logging.LogRecord("snakemake.logging", logging.INFO, "", 1, text, None, None)
    vars(made).update(facts)
    return made


def start(console, run, trial=1, number=7):  # noqa: F811
    unit = f"trial-{trial:04d}"
    files = {"output": [f"{run}/{unit}/result.json"], "log": [f"{run}/{unit}/logs/retrain.log"]}
    facts = {"jobid": number, "rule_name": "retrain", "wildcards": {"unit": unit}} | files
    assert not console.filter(record(event=LogEvent.JOB_INFO, **facts))
    return facts


def result(run, trial, accuracy, **more):  # noqa: F811
    scores = {"trial": trial, "value": accuracy, "val_accuracy": accuracy} | SCORES | more
    write_json(run / f"trial-{trial:04d}/result.json", scores)


def test_finished_trial_has_a_line_with_its_scores_and_the_best_so_far(run, console):  # noqa: F811
    console, lines = console
    result(run, 0, 0.93)
    for trial, accuracy in ((1, 0.91), (1, 0.95)):
        start(console, run, trial)
        result(run, trial, accuracy)
        assert not console.filter(record(event=LogEvent.JOB_FINISHED, job_id=7))
    costs = "34,642 parameters, 788,352 MACs"
    assert lines == [
        "started   retrain (trial-0001)",
        "finished  retrain (trial-0001) in 0 s",
        f"trial 1: val accuracy 0.9100, {costs}; best so far: trial 0, val accuracy 0.9300",
        "started   retrain (trial-0001)",
        "finished  retrain (trial-0001) in 0 s",
        f"trial 1: val accuracy 0.9500, {costs}; best so far: trial 1, val accuracy 0.9500",
    ]


def test_trial_without_a_value_has_its_reason(run, console):  # noqa: F811
    console, lines = console
    write_json(run / "trial-0000/result.json", {"trial": 0, "state": "PRUNED", "reason": "retrain: not finite"})
    start(console, run, 0)
    console.filter(record(event=LogEvent.JOB_FINISHED, job_id=7))
    assert lines[-1] == "trial 0: diverged; retrain: not finite"


def test_failed_job_shows_the_end_of_its_log_and_an_empty_log_leaves_it_to_snakemake(run, console):  # noqa: F811
    console, lines = console
    facts = start(console, run)
    assert console.filter(record("Error in rule retrain", event=LogEvent.JOB_ERROR, **facts))
    begin(run).close()
    with (run / "trial-0001/logs/retrain.log").open("a") as log:
        log.write("error: no space left\n")
    facts = start(console, run)
    assert not console.filter(record("Error in rule retrain", event=LogEvent.JOB_ERROR, **facts))
    path = f"{run}/trial-0001/logs/retrain.log"
    assert f"failed    retrain (trial-0001); log: {path}, which ends with" in lines
    assert lines[-1] == "error: no space left"


@pytest.mark.parametrize(
    "text", ["Select jobs to execute...", "Execute 1 jobs...", "Updating checkpoint dependencies."]
)
def test_noise_of_snakemake_is_held_back(console, text):
    assert not console[0].filter(record(text))


@pytest.mark.parametrize("text", ["Nothing to be done", "MissingOutputException: no file", "Job 7 has been submitted"])
def test_other_lines_of_snakemake_are_printed(console, text):
    assert console[0].filter(record(text))


def test_names_of_the_events_are_those_of_snakemake(console):
    assert set(console[0]._shown) <= {str(event) for event in LogEvent}


def test_status_tells_the_time_left_of_measured_stages(run, console):  # noqa: F811
    from nasmake.report.status import time_left

    begin(run).close()
    plan = Plan(yaml.safe_load((run / "config.yaml").read_text()) | {"promote": {"top": 1}})
    left = time_left(plan, at_once=2)
    assert left.seconds == {"retrain": 8 * 2.0, "retrain_final": 10 * 2.0}
    text = "time left: about 18 s with 2 jobs at once (sums of jobs: retrain 16 s, retrain_final 20 s)"
    assert str(left) == text

"""Plans of studies before any job runs: `snakemake -n`."""

import re

import pytest
from studies import write_config

SEARCHED = {
    "supernet": {"name": "initial_lr", "type": "uniform_float", "lower": 0.01, "upper": 0.1},
    "search": {"name": "search.mutation_prob", "type": "uniform_float", "lower": 0.05, "upper": 0.5},
    "retrain": {"name": "retrain.label_smoothing", "type": "uniform_float", "lower": 0.0, "upper": 0.2},
}
ASNG_PARAMETER = {"name": "search.delta0", "type": "uniform_float", "lower": 0.5, "upper": 2.0}
ONCE = {"download_dataset": 1, "promote": 1, "summarize_study": 1, "export_best": 1, "report": 1, "all": 1}


def job_counts(output):
    """Return the last table of jobs that Snakemake printed, without its total."""
    table = output.rsplit("Job stats:", 1)[1].splitlines()[3:]
    rows = [line.split() for line in table]
    counts = {}
    for row in rows:
        if len(row) != 2 or not row[1].isdigit():
            break
        counts[row[0]] = int(row[1])
    assert counts.pop("total") == sum(counts.values())
    return counts


def searching(*stages, trials=3):
    return {"optimize": {"trial_number": trials, "parameters": [SEARCHED[stage] for stage in stages]}}


def test_defaults_list_every_job_of_all_15_trials(checkout):
    counts = job_counts(checkout.run("-n"))
    chain = {"suggest": 15, "train_supernet": 15, "search_architecture": 15, "retrain": 15}
    assert counts == ONCE | chain


def test_a_dry_run_is_one_short_table_and_p_adds_every_job_with_its_settings(checkout):
    short, long = checkout.run("-n"), checkout.run("-n", "-p")
    assert short.count("Job stats:") == 1 and "rule retrain:" not in short and "--settings" not in short
    assert len(short.splitlines()) < 60 and max(map(len, short.splitlines())) < 200
    assert job_counts(short) == job_counts(long)
    assert long.count("rule retrain:") == 15 and long.count("python scripts/retrain.py --settings") == 15


@pytest.mark.parametrize(
    ("stages", "supernets", "searches"),
    [
        (["supernet"], 3, 3),
        (["search"], 1, 3),
        (["retrain"], 1, 1),
        (["retrain", "search"], 1, 3),
        (["retrain", "supernet"], 3, 3),
    ],
)
def test_trials_share_what_no_searched_parameter_touches(checkout, stages, supernets, searches):
    study = write_config(checkout.folder, searching(*stages))
    counts = job_counts(checkout.run("-n", "--configfile", study))
    assert counts == ONCE | {
        "suggest": 3,
        "train_supernet": supernets,
        "search_architecture": searches,
        "retrain": 3,
    }


@pytest.mark.parametrize(
    ("parameter", "searches"), [(SEARCHED["supernet"], 3), (ASNG_PARAMETER, 3), (SEARCHED["retrain"], 1)]
)
def test_simultaneous_is_one_stage_instead_of_two(checkout, parameter, searches):
    optimize = {"optimize": {"trial_number": 3, "parameters": [parameter]}}
    study = write_config(checkout.folder, optimize, {"nas": {"type": "simultaneous"}})
    counts = job_counts(checkout.run("-n", "--configfile", study))
    assert counts == ONCE | {"suggest": 3, "search_supernet": searches, "retrain": 3}


def test_search_declares_all_its_histories(checkout):
    plan = checkout.run("-n", "-p", "--configfile", write_config(checkout.folder, searching("retrain")))
    job = next(job for job in plan.split("\nrule ") if job.startswith("search_architecture:"))
    output = next(line for line in job.splitlines() if line.strip().startswith("output:"))
    names = ("search_architecture", "evaluations", "random_evaluations", "probabilities")
    assert all(f"history/{name}.csv" in output for name in names)


def test_nothing_searched_is_one_trial(checkout):
    study = write_config(checkout.folder, {"optimize": {"trial_number": 1, "parameters": []}})
    counts = job_counts(checkout.run("-n", "--configfile", study))
    assert counts == ONCE | {"suggest": 1, "train_supernet": 1, "search_architecture": 1, "retrain": 1}


def test_catalogue_entry_plans_the_same(checkout):
    study = write_config(checkout.folder)
    through_root = job_counts(checkout.run("-n", "--configfile", study))
    assert job_counts(checkout.run("-n", "-s", "workflow/Snakefile", "--configfile", study)) == through_root


def test_order_of_the_included_rules_does_not_matter(checkout):
    study = write_config(checkout.folder)
    plan = job_counts(checkout.run("-n", "--configfile", study))
    snakefile = checkout.folder / "Snakefile"
    lines = snakefile.read_text().splitlines()
    pattern = re.compile(r'include: "workflow/rules/(data|study|stages|final|report)\.smk"')
    numbers = [number for number, line in enumerate(lines) if pattern.fullmatch(line)]
    assert len(numbers) == 5
    includes = [lines[number] for number in numbers]
    for number, include in zip(numbers, reversed(includes), strict=True):
        lines[number] = include
    snakefile.write_text("\n".join(lines) + "\n")
    assert job_counts(checkout.run("-n", "--configfile", study)) == plan


@pytest.mark.parametrize("option", [("--profile", "profiles/local"), ("--workflow-profile", "abci")])
def test_profiles_plan_the_same(checkout, option):
    study = write_config(checkout.folder)
    plain = job_counts(checkout.run("-n", "--configfile", study))
    assert job_counts(checkout.run("-n", *option, "--configfile", study)) == plain


def test_hundred_trials_keep_a_linear_plan(checkout):
    def commands(trials):
        study = write_config(checkout.folder, searching("retrain", trials=trials))
        plan = checkout.run("-n", "-p", "--configfile", study)
        counts = job_counts(plan)
        assert (counts["suggest"], counts["retrain"], counts["train_supernet"]) == (trials, trials, 1)
        return [line for line in plan.splitlines() if "python scripts/" in line]

    longest, length = max(map(len, commands(100))), max(map(len, commands(10)))
    assert longest < length + 100  # Linux limits a command to 131,072 characters


def test_text_from_the_command_line_is_read_as_what_it_says(checkout):
    study = write_config(checkout.folder, searching("retrain"))
    nested = ["--config", "optimize={trial_number: 5}", "nas={seed: 7, num_epochs_supernet_train: 2}"]
    plan = checkout.run("-n", "-p", "--configfile", study, *nested)
    assert job_counts(plan)["suggest"] == 5
    assert '"nas":{"num_epochs_supernet_train":2,"seed":7}' in plan


def test_readme_shows_the_rule_graph_as_it_is(checkout):
    import subprocess
    import sys

    from conftest import ENVIRONMENT

    command = [sys.executable, "scripts/draw_dag.py", "--check"]
    finished = subprocess.run(command, cwd=checkout.folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_retraining_reads_the_folders_of_its_own(checkout):
    folders = {"dataset": {"retrain": {"train": "other", "test": "third"}}}
    plan = checkout.run("-n", "-p", "--configfile", write_config(checkout.folder, folders))
    assert job_counts(plan)["download_retrain_train"] == 1  # the test part's, as soon as a trial is promoted
    inputs = [line for line in plan.splitlines() if line.startswith("    input: ")]
    assert sum("shared/retrain_train.json" in line and "architecture.json" in line for line in inputs) == 3

"""The table of jobs: every input of a job is an output of another job, and a changed key changes the right hashes."""

import pytest
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.study_jobs import StudyJobs
from small_studies import in_an_empty_folder  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
SEARCHED = {"name": "search.mutation_prob", "type": "uniform_float", "lower": 0.1, "upper": 0.5}
RULES = ("download_dataset", "suggest", "train_supernet", "search_architecture", "retrain", "retrain_final", "promote")


def jobs(**sections):
    optimize = {"trial_number": 3, "lag": 1, "parameters": [SEARCHED]} | sections.pop("optimize", {})
    dataset = {"name": "digits", "num_data_architecture_search": 600} | sections.pop("dataset", {})
    return StudyJobs(Plan({"dataset": dataset, "optimize": optimize} | sections))


def all_jobs(table):
    units = [{"trial": f"{trial:04d}"} for trial in range(3)]
    once = [
        table.of(rule, {})
        for rule in ("download_dataset", "train_supernet", "promote", "summarize_study", "report", "export_best")
    ]
    of_trials = ("suggest", "search_architecture", "retrain", "retrain_final")
    return [*once, *(table.of(rule, unit) for rule in of_trials for unit in units)]


@pytest.mark.parametrize(
    "sections", [{}, {"nas": {"type": "simultaneous"}}, {"dataset": {"retrain": {"train": "other", "test": "third"}}}]
)
def test_every_input_comes_from_the_job_that_writes_it(sections):
    table = jobs(**sections)
    stages = [rule for rule in table.plan.chain if rule not in ("train_supernet", "search_architecture")]
    found = all_jobs(table) if not sections.get("nas") else [table.of(rule, {"trial": "0001"}) for rule in stages]
    for job in found:
        for value in job.inputs.values():
            for path in [value] if isinstance(value, str) else value:
                producer = table.producer(path)
                assert producer is not None and path in producer.outputs, path


def test_further_seeds_have_folders_and_hashes_of_their_own():
    table = jobs(final={"seeds": 2})
    first, second = (table.of("retrain_final", {"unit": unit}) for unit in ("trial-0001", "trial-0001/repeat-1"))
    assert first == jobs().of("retrain_final", {"unit": "trial-0001"})
    assert second.inputs == first.inputs and second.identity != first.identity
    assert all(table.producer(path) == second and "/trial-0001/repeat-1/" in path for path in second.outputs)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"supernet": {"batch_size": 32}}, {"train_supernet"}),
        ({"search": {"population_size": 7}}, {"search_architecture"}),
        ({"retrain": {"label_smoothing": 0.05}}, {"retrain", "retrain_final"}),
        ({"final": {"baseline": True}}, {"retrain_final"}),
        ({"final": {"seeds": 3}}, set()),
        ({"promote": {"top": 2}}, {"promote"}),
        ({"optimize": {"lag": 2}}, {"suggest"}),
        ({"optimize": {"trial_number": 5}}, set()),
        ({"environment": {"num_workers": 3}}, set()),
        ({"dataset": {"path": "elsewhere"}}, {"download_dataset"}),
    ],
)
def test_a_key_changes_the_hash_of_the_rules_that_read_it(change, changed):
    before, after = jobs(), jobs(**change)
    of = {rule: {"trial": "0001"} for rule in RULES}
    assert {
        rule for rule in RULES if before.of(rule, of[rule]).identity != after.of(rule, of[rule]).identity
    } == changed

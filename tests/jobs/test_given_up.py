"""Giving a trial up by hand, and taking a failure back: which files of a run change, and what is refused."""

import fcntl
from pathlib import Path

import pytest
from nasmake.config import load
from nasmake.core.artefacts import JobRecord, record_path
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.records import FAIL, read_result
from nasmake.jobs.failed import write_failed
from nasmake.jobs.given_up import give_up, plan_of, retry
from nasmake.pipeline.current import Current
from nasmake.pipeline.stages import STAGES
from nasmake.pipeline.study_jobs import StudyJobs
from nasmake.report.summary import write_resolved
from small_jobs import TINY
from small_results import main_of, result

MACS = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 400000, "upper": 1600000}
RUN = Path("results/tiny")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of three trials that share a supernet. Trial 1 has a suggestion only."""
    (tmp_path / "config").symlink_to(Path(__file__).parents[2] / "config")
    monkeypatch.chdir(tmp_path)
    config = load(TINY | {"optimize": {"trial_number": 3, "lag": 2, "parameters": [MACS]}})
    write_resolved(RUN / "config.yaml", config.model_dump(mode="json"))
    write_json(RUN / "shared" / "dataset.json", {"sha256": {}})
    for artefact in STAGES["train_supernet"].outputs.values():
        path = RUN / "shared" / artefact
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"state": "COMPLETE"}')
    for trial in (0, 1):
        write_json(RUN / f"trial-{trial:04d}" / "suggestion.json", {"trial": trial, "params": {}})
    write_json(RUN / "trial-0000" / "result.json", result(0, 0.5))
    return RUN


def test_a_trial_that_is_given_up_has_every_file_and_every_record(run):
    plan = plan_of(run)
    assert give_up(plan, 1, "the  disk\nof this node") == ["search_architecture", "retrain"]
    unit = run / "trial-0001"
    for stage in ("search_architecture", "retrain"):
        record = JobRecord.read(unit, stage)
        assert record is not None and set(record.outputs) == set(STAGES[stage].outputs.values())
    read = read_result(unit / "result.json")
    assert (read.state, read.reason) == (FAIL, "search_architecture: given up: the disk of this node")
    assert read_json(run / "shared" / "supernet.json") == {"state": "COMPLETE"}


def test_stages_that_have_ended_stay(run):
    unit = run / "trial-0001"
    for artefact in STAGES["search_architecture"].outputs.values():
        (unit / artefact).parent.mkdir(parents=True, exist_ok=True)
        (unit / artefact).write_text('{"state": "COMPLETE"}')
    assert give_up(plan_of(run), 1, "why") == ["retrain"]
    assert read_json(unit / "architecture.json") == {"state": "COMPLETE"}


def test_retry_removes_what_failed_and_nothing_else(run):
    unit, plan = run / "trial-0001", plan_of(run)
    give_up(plan, 1, "why")
    assert retry(plan, 1) == ["search_architecture", "retrain"]
    assert [path.name for path in unit.rglob("*") if path.is_file()] == ["suggestion.json"]
    assert (run / "shared" / "supernet.json").is_file()


def test_retry_takes_back_an_automatic_failure_of_a_shared_stage(run):
    write_failed("train_supernet", run / "shared", "train_supernet: ValueError: boom", {})
    for stage in ("search_architecture", "retrain"):
        write_failed(stage, run / "trial-0001", "train_supernet: ValueError: boom", {})
    assert retry(plan_of(run), 1) == ["train_supernet", "search_architecture", "retrain"]
    assert not (run / "shared" / "supernet.safetensors").exists()


def test_retry_takes_back_a_final_training_only(run):
    unit = run / "trial-0000"
    write_failed("retrain_final", unit, "retrain_final: ValueError: boom", {})
    record_path(unit, "retrain_final").parent.mkdir()
    record_path(unit, "retrain_final").write_text("{}")
    assert retry(plan_of(run), 0) == ["retrain_final"]
    assert not record_path(unit, "retrain_final").exists() and not (unit / "final.json").exists()
    assert (unit / "result.json").is_file()


@pytest.mark.parametrize(
    "trial, text",
    [
        (0, "results/tiny/trial-0000: state is COMPLETE; expected a trial without a result"),
        (2, "results/tiny/trial-0002/suggestion.json: no such file; expected a trial that has its hyperparameters"),
        (3, "results/tiny: trial is 3; expected 0 to 2"),
        (-1, "results/tiny: trial is -1; expected 0 to 2"),
    ],
)
def test_what_cannot_be_given_up_is_one_line(run, trial, text):
    with pytest.raises(InputError) as error:
        give_up(plan_of(run), trial, "why")
    assert str(error.value) == text


def test_a_trial_waits_for_the_shared_stages(run):
    (run / "shared" / "supernet.safetensors").unlink()
    with pytest.raises(InputError, match=r"supernet\.safetensors: no such file; expected the results of"):
        give_up(plan_of(run), 1, "why")


@pytest.mark.parametrize("trial, state", [(0, "COMPLETE"), (1, "not finished")])
def test_only_a_failure_can_be_taken_back(run, trial, state):
    with pytest.raises(InputError) as error:
        retry(plan_of(run), trial)
    assert str(error.value) == f"results/tiny/trial-000{trial}: state is {state}; expected FAIL"


def test_an_unknown_run_is_one_line(run):
    with pytest.raises(InputError) as error:
        plan_of(Path("results/other"))
    assert str(error.value) == "results/other: no config.yaml; expected the folder of a run that was started"


def test_a_run_at_work_is_left_alone(run):
    Path(".snakemake").mkdir()
    with Path(".snakemake/controller").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="results/tiny: a study is running"):
            plan_of(run)


def test_scripts_find_the_run_by_its_folder_or_by_its_configuration(run, capsys):
    Path("study.yaml").write_text("run: tiny\n")
    main_of("give_up_trial")(["1", "--why", "broken", "--configfile", "study.yaml"])
    main_of("retry_trial")(["1", "--run", "results/tiny"])
    assert capsys.readouterr().out.splitlines() == [
        "trial 1 is given up (search_architecture, retrain); start snakemake again as before",
        "trial 1 will be tried again (search_architecture, retrain); start snakemake again as before",
    ]


def test_hyperparameters_that_observed_the_failure_stay_current(run):
    plan = plan_of(run)
    jobs = StudyJobs(plan)
    (run / "trial-0000" / "result.json").unlink()
    give_up(plan, 0, "why")
    write_json(run / "trial-0002" / "suggestion.json", {"trial": 2, "params": {}})
    *_, observer = suggestions = [jobs.of("suggest", {"trial": f"{trial:04d}"}) for trial in range(3)]
    assert observer.inputs["observed"] == f"{run}/trial-0000/result.json"
    for job in suggestions:
        job.record()
    retry(plan, 0)
    assert Current(jobs).outdated(observer) is None
    write_json(run / "trial-0000" / "result.json", result(0, 0.9))
    assert Current(jobs).outdated(observer) is None

"""nas.operations in the plan of a study: which stages receive the file, and where it may lie."""

import json
import shutil

import own_operations
import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import CHAIN
from nasmake.pipeline.study_jobs import StudyJobs

FINAL = "retrain_final"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return own_operations.write_files(tmp_path)


def plan(**nas):
    raw = yaml.safe_load(own_operations.FILES[own_operations.STUDY])
    return Plan(raw | {"nas": raw["nas"] | nas})


def identities():
    jobs = StudyJobs(plan())
    return [jobs.of(stage, {"unit": "trial-0000"}).identity for stage in (*CHAIN, FINAL)]


def test_an_edited_file_reruns_every_stage_that_uses_it(file):
    before = identities()
    assert identities() == before
    file.write_text(file.read_text() + "# edited\n")
    assert not {*before} & {*identities()}


def test_stages_receive_path_checksum_and_names(file):
    for stage in (*CHAIN, FINAL):
        settings = json.loads(plan().settings(stage))
        received = settings.get("search_space", settings)["operations"]
        assert (received["file"], received["names"]) == ("my_ops.py", ["convnext", "pool"])


def test_a_file_among_results_is_refused_also_through_a_link(file, tmp_path):
    (tmp_path / "results").mkdir()
    shutil.copy(file, tmp_path / "results" / "ops.py")
    (tmp_path / "link.py").symlink_to("results/ops.py")
    for path in ("results/ops.py", "link.py", f"{tmp_path}/results/ops.py"):
        with pytest.raises(InputError, match=r"^nas\.operations is .*; expected a file outside of results "):
            plan(operations=path)


def test_an_unknown_operation_is_refused_in_the_space(file):
    with pytest.raises(InputError, match=r"block 0 is convnext; expected one of Conv, SepConv, MBConv, Fused, Zero$"):
        own_operations.space_of(None)


def test_a_space_file_cannot_name_a_python_file(file, tmp_path):
    space = tmp_path / own_operations.SPACE
    named = {"operations": {"file": "my_ops.py", "sha256": "0" * 64, "names": ["convnext", "pool"]}}
    space.write_text(yaml.safe_dump(yaml.safe_load(space.read_text()) | named))
    study = plan(operations=None)
    with pytest.raises(InputError, match="operations: unknown key"):
        own_operations.SearchSpace.from_settings(study.search_space)

"""Which jobs compare found networks with others, and which settings are refused."""

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.evidence.baselines import BaselinesPlan
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.study_jobs import StudyJobs
from nasmake.search_spaces.library import SPACES

PRESET = SPACES.parent / "presets" / "baselines.yaml"


def baselines(**changes):
    raw = yaml.safe_load(PRESET.read_text())
    plan = Plan(raw | {"baselines": raw["baselines"] | changes})
    return BaselinesPlan(plan, StudyJobs(plan))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seeds": [1]}, "config: baselines.seeds is [1]; expected at least 2 entries"),
        ({"seeds": [1, 1]}, "config: baselines.seeds is [1, 1]; expected different numbers, because each "),
        (
            {"networks": {"found": {}}},
            "config: baselines.networks: name is found; expected small letters, ",
        ),
        (
            {"networks": {"cnn": {"nas.architecture": "no.json"}}},
            "baselines.networks.cnn: nas.architecture: no.json: ",
        ),
        (
            {"networks": {"cnn": {"final.num_epoch": 3}}},
            "baselines.networks.cnn: final.num_epoch: unknown key;",
        ),
        (
            {"networks": {"cnn": {"nas.seed": 3}}},
            "baselines.networks.cnn: nas.seed has no effect; expected",
        ),
        (
            {"networks": {"cnn": {"dataset.flip": True}}},
            "baselines.networks.cnn: dataset.flip has no effect",
        ),
    ],
)
def test_wrong_settings_end_in_one_line(changes, line):
    with pytest.raises(InputError) as error:
        baselines(**changes).check()
    assert str(error.value).startswith(line)


def test_each_file_comes_from_the_job_that_writes_it():
    plan = baselines()
    plan.check()
    files = [path for paths in plan.measurements().values() for path in paths]
    assert len(files) == len(set(files)) == 5 * 3 + 2 * 3 + 1
    for path in files:
        assert path in plan.producer(path).outputs


def test_only_the_changed_keys_of_a_network_differ():
    settings = baselines().settings("retrain_final_of_baselines")
    short, long = (settings({"network": name, "seed": "1"}) for name in ("random", "random_longer"))
    assert '"num_epochs":6' in short and long == short.replace('"num_epochs":6', '"num_epochs":13')
    assert settings({"network": "random", "seed": "2"}) == short.replace('"seed":1', '"seed":2')

"""Which networks a benchmark table has, and which jobs train them."""

from dataclasses import replace
from itertools import product

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.evidence.benchmark_table import BenchmarkTablePlan, all_networks, chosen_networks
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.study_jobs import StudyJobs
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import SPACES

PRESET = SPACES.parent / "presets" / "tabulate_fashion_mnist.yaml"
SMALL = "evidence/config_proxyless_fashion_mnist"
LARGE = "config_mnasnet_digits"


def shipped(name):
    return SearchSpace.from_mapping(yaml.safe_load((SPACES / f"{name}.yaml").read_text()), name, name)


def table(**tabulate):
    raw = yaml.safe_load(PRESET.read_text())
    plan = Plan(raw | {"tabulate": raw["tabulate"] | tabulate})
    return BenchmarkTablePlan(plan, StudyJobs(plan))


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_all_networks_are_those_of_every_decision_vector_once(name):
    space = shipped(name)
    space = space if name == SMALL else replace(space, blocks=space.blocks[:1])
    listed = list(all_networks(space))
    vectors = product(*(range(len(decision.choices)) for decision in space.decisions))
    assert len(set(listed)) == len(listed)
    assert set(listed) == {space.canonical(vector) for vector in vectors}


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_a_sample_has_different_networks_and_depends_on_the_seed_only(name):
    sample = chosen_networks(shipped(name), 40, 1)
    assert len(set(sample)) == 40
    assert sample == chosen_networks(shipped(name), 40, 1) != chosen_networks(shipped(name), 40, 2)


def test_each_part_and_seed_is_a_job_of_its_own():
    plan = table(seeds=[1, 2], networks_per_job=50)
    files = plan.measurements
    assert (len(plan.networks), len(files["lists"]), len(files["trained"])) == (144, 3, 6)
    assert [plan.producer(path).outputs for path in files["trained"]] == [[path] for path in files["trained"]]
    assert '"seed":2' in plan.settings("tabulate_networks")({"part": "0001", "seed": "2"})


def test_a_table_that_cannot_be_made_is_refused_in_one_line():
    with pytest.raises(InputError) as error:
        _ = table(networks=145).networks
    assert str(error.value) == (
        "tabulate.networks is 145; expected all, or at most 144, the networks of proxyless_fashion_mnist"
    )
    with pytest.raises(InputError) as error:
        chosen_networks(shipped(LARGE), "all", 1)
    assert str(error.value) == (
        f"tabulate.networks is all; expected a number up to 10000, because {LARGE} has more networks"
    )
    with pytest.raises(InputError, match=r"tabulate.seeds is \[1, 1\]; expected different numbers"):
        table(seeds=[1, 1])
    with pytest.raises(InputError, match=r"tabulate.networks is some; expected all, or a whole number from 1 to 10000"):
        table(networks="some")

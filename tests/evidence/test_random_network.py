"""The random network that is compared with a found one."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.evidence.random_network import random_network
from nasmake.jobs.job import Job
from small_jobs import SPACE

FOUND = {"state": "COMPLETE", "macs": 1_000_000, "decisions": [0] * 6}


@pytest.fixture
def draw(tmp_path, digits):
    """Return a function that draws a network beside a found one and returns its architecture.json."""

    def drawn(seed=1, band=0.05, **found):
        write_json(tmp_path / "found.json", FOUND | found)
        received = {"nas": {"seed": seed}, "baselines": {"macs_band": band}}
        inputs = {"found": tmp_path / "found.json"}
        job = Job("random_network", received, SPACE, 1, digits, inputs, None, tmp_path / "unit", "cpu", "lines")
        random_network(job)
        return read_json(tmp_path / "unit/architecture.json")

    return drawn


@pytest.mark.parametrize("seed", range(5))
def test_macs_are_within_the_band_and_the_seed_decides(draw, seed):
    network = draw(seed)
    assert abs(network["macs"] / FOUND["macs"] - 1) <= 0.05
    assert draw(seed)["decisions"] == network["decisions"] != draw(seed + 100)["decisions"]


def test_the_found_network_itself_is_never_drawn(draw):
    first = draw()
    again = draw(macs=first["macs"], decisions=first["decisions"])
    assert again["decisions"] != first["decisions"]


def test_no_network_in_the_band_ends_in_one_line(draw):
    with pytest.raises(InputError, match=r"^baselines\.macs_band is 0\.05; expected more, because none of 100,000 ran"):
        draw(macs=10)
    with pytest.raises(InputError, match=r"found\.json: the search found no network: at chance"):
        draw(state="PRUNED", reason="at chance")

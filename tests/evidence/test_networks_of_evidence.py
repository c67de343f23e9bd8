"""The networks that the evidence compares: nasmake.evidence.networks, and the settings of evidence.plan."""

from pathlib import Path

import pytest
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.core.files import write_csv
from nasmake.costs.table import CostTable
from nasmake.evidence.networks import selected, stratified
from small_spaces import shipped

SPACE = shipped("proxyless_digits")
COSTS = CostTable(SPACE, 1, 8)


def test_list_has_its_share_of_every_third_and_no_network_twice():
    networks = stratified(SPACE, COSTS, 25, 42)
    assert len({tuple(network["decisions"]) for network in networks}) == 25
    macs = [network["macs"] for network in networks]
    assert macs == sorted(macs)
    # Thirds of the space, from the percentiles of 3,000 random networks: 0.68 and 0.88 million MACs.
    assert 7 <= sum(number < 690_000 for number in macs) <= 9 <= 1 + sum(number > 870_000 for number in macs) <= 11
    assert networks == stratified(SPACE, COSTS, 25, 42) != stratified(SPACE, COSTS, 25, 43)


def evaluations(tmp_path, strategy, rows, name="evaluations.csv"):
    path = tmp_path / strategy / "history" / name
    columns = ("val_loss", "macs", "decisions")
    write_csv(path, [dict(zip(columns, row, strict=True)) for row in rows], columns)
    return path


@pytest.fixture
def searches(tmp_path: Path):
    random = [(0.9, 50, "0 0 0 0 0 0"), (0.5, 60, "1 0 0 0 0 0"), (0.1, 10, "2 0 0 0 0 0"), (0.7, 70, "3 0 0 0 0 0")]
    evolution = [(0.4, 55, "4 0 0 0 0 0"), (0.2, 5, "5 0 0 0 0 0"), (0.5, 60, "1 0 0 0 0 0")]
    write = {"random": random, "evolution": evolution}
    return {strategy: evaluations(tmp_path, strategy, rows) for strategy, rows in write.items()}


def test_selection_is_of_the_window(searches):
    networks = selected(searches, (40, 80), 2, SPACE, COSTS)
    roles = {network["decisions"][0]: network["roles"] for network in networks}
    assert roles == {
        1: ["random", "random-random", "random-evolution", "drawn"],
        4: ["evolution"],
        0: ["drawn", "worst"],
    }
    assert all(network["macs"] == COSTS.macs(tuple(network["decisions"])) for network in networks)


def test_random_search_beside_a_search_is_its_baseline(searches, tmp_path):
    beside = [(0.3, 45, "0 1 0 0 0 0"), (0.1, 10, "0 2 0 0 0 0")]
    evaluations(tmp_path, "evolution", beside, "random_evaluations.csv")
    networks = selected(searches, (40, 80), 2, SPACE, COSTS)
    assert [network["decisions"] for network in networks if "random-evolution" in network["roles"]] == [
        [0, 1, 0, 0, 0, 0]
    ]


def test_window_with_too_few_random_networks_is_refused(searches):
    with pytest.raises(
        InputError, match=r"evidence.min_macs is 55; expected .* 2 networks .* evidence.random_networks needs 3"
    ):
        selected(searches, (55, 80), 3, SPACE, COSTS)


def test_equal_seeds_are_refused():
    with pytest.raises(InputError, match=r"config: evidence.seeds is \[1, 2, 1\]; expected different numbers"):
        load({"evidence": {"seeds": [1, 2, 1]}, "optimize": {"trial_number": 1}})

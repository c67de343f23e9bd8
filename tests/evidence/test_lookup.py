"""Searches by look-up, and the benchmark table that they are judged by."""

from statistics import median

import pytest
import yaml
from nasmake.config.search import Constraint, Search
from nasmake.core.errors import InputError
from nasmake.costs.table import CostTable
from nasmake.evidence.benchmark_table import all_networks
from nasmake.evidence.lookup import BandCosts, searched
from nasmake.evidence.plan import LOOKED_UP
from nasmake.evidence.table_file import read_table
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import SPACES
from nasmake.strategies import make_strategy

FILE = SPACES / "evidence" / "config_proxyless_fashion_mnist.yaml"
SPACE = SearchSpace.from_mapping(yaml.safe_load(FILE.read_text()), FILE.stem, FILE.name)
NETWORKS = list(all_networks(SPACE))
COSTS = CostTable(SPACE, 1, 28)
SCORES = {network: (1e6 / COSTS.macs(network), 0.5) for network in NETWORKS}  # the most costly network is the best


def strategy(name, costs, limit=None):
    return make_strategy(SPACE, costs, Search(algorithm=name, population_size=5, constraint=Constraint(macs=limit)))


@pytest.mark.parametrize("name", LOOKED_UP)
def test_budget_counts_different_networks(name):
    every = BandCosts(SPACE, 1, 28, NETWORKS)
    judged = list(searched(strategy(name, every), SCORES, [5, 20, 60], (1, name)))
    assert [evaluated for evaluated, _ in judged] == [5, 20, 60]
    losses = [SCORES[found][0] for _, found in judged]
    assert losses == sorted(losses, reverse=True)
    assert judged == list(searched(strategy(name, every), SCORES, [5, 20, 60], (1, name)))


@pytest.mark.parametrize("name", LOOKED_UP)
def test_searches_stay_in_the_band(name):
    middle = median(map(COSTS.macs, NETWORKS))
    band = [network for network in NETWORKS if abs(COSTS.macs(network) - middle) <= 0.1 * middle]
    costs = BandCosts(SPACE, 1, 28, band)
    assert 10 < len(band) < len(NETWORKS) / 2
    within = {network: SCORES[network] for network in band}  # a look-up of another network would be a KeyError
    ((_, found),) = searched(strategy(name, costs, max(map(COSTS.macs, band))), within, [10], (2, name))
    assert found in band


@pytest.mark.parametrize("text", ["0 1,9,9,1,.5,.5\n", "0 1,9,9,1,.5,.5\n0 1,9,9,2,.5,.5\n0 2,9,9,1,.5,.5\n"])
def test_a_table_without_repetitions_is_refused(tmp_path, text):
    (tmp_path / "table.csv").write_text(f"decisions,parameters,macs,seed,val_loss,test_loss\n{text}")
    with pytest.raises(InputError, match=r"expected one row for each network and seed, and two or more seeds"):
        read_table(tmp_path / "table.csv")

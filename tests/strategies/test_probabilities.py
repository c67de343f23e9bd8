"""Shares and concentration, and the probabilities and diagnostics of all searches."""

from math import log

import pytest
from nasmake.config.search import Search
from nasmake.costs.table import CostTable
from nasmake.strategies import make_strategy
from nasmake.strategies.loop import ProposalLoop
from nasmake.strategies.probabilities import concentration, shares
from small_searches import PROPOSING
from small_spaces import shipped

SPACE = shipped("proxyless_digits")
COSTS = CostTable(SPACE, 1, 8)
POPULATION, SAMPLES, BUDGET = 8, 6, 24


def test_shares_of_vectors():
    assert shares([(0, 2), (1, 2), (1, 0), (1, 1)], [2, 3]) == [[0.25, 0.75], [0.25, 0.25, 0.5]]


def test_no_vectors_are_the_uniform_distribution():
    assert shares([], [2, 4, 1]) == [[0.5, 0.5], [0.25] * 4, [1.0]]


def test_concentration_is_a_mean_over_decisions_that_have_a_choice():
    concentrated = concentration([[0.5, 0.5], [1.0, 0.0, 0.0], [1.0]])
    assert concentrated == {"entropy": pytest.approx(log(2) / 2), "max_probability": 0.75}


def test_without_a_choice_all_is_decided():
    assert concentration([[1.0], [1.0]]) == {"entropy": 0.0, "max_probability": 1.0}


def search(name, observed=()):
    settings = Search(algorithm=name, population_size=POPULATION, samples_per_update=SAMPLES)
    strategy = make_strategy(SPACE, COSTS, settings)
    loop = ProposalLoop(strategy, (0, "search"), BUDGET, lambda decisions: (sum(decisions), 0.5))
    for evaluation in observed:
        loop.tell(evaluation)
    for step in range(len(observed), BUDGET):
        loop.step(step)
    return loop


@pytest.mark.parametrize("name", PROPOSING)
def test_every_search_has_probabilities_and_is_measured_by_them(name):
    whole = search(name)
    assert whole.step(BUDGET) is None and len(whole.observed) == BUDGET
    resumed = search(name, whole.observed[:11])
    for steps in (POPULATION, 2 * POPULATION, BUDGET):
        probabilities, diagnostics = whole.probabilities(steps), whole.diagnostics(steps)
        assert [len(row) for row in probabilities] == [len(decision.choices) for decision in SPACE.decisions]
        assert all(sum(row) == pytest.approx(1) for row in probabilities)
        assert concentration(probabilities).items() <= diagnostics.items()
        assert diagnostics.keys() == set(whole.strategy.columns)
        assert resumed.probabilities(steps) == probabilities and resumed.diagnostics(steps) == diagnostics

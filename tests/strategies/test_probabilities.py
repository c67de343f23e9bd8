from math import log

import pytest
from nasmake.strategies.probabilities import concentration, shares


def test_shares_of_vectors():
    assert shares([(0, 2), (1, 2), (1, 0), (1, 1)], [2, 3]) == [[0.25, 0.75], [0.25, 0.25, 0.5]]


def test_no_vectors_are_the_uniform_distribution():
    assert shares([], [2, 4, 1]) == [[0.5, 0.5], [0.25] * 4, [1.0]]


def test_concentration_is_a_mean_over_decisions_that_have_a_choice():
    found = concentration([[0.5, 0.5], [1.0, 0.0, 0.0], [1.0]])
    assert found == {"entropy": pytest.approx(log(2) / 2), "max_probability": 0.75}


def test_without_a_choice_all_is_decided():
    assert concentration([[1.0], [1.0]]) == {"entropy": 0.0, "max_probability": 1.0}

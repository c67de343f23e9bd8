"""The update rule of REINFORCE. ReinforceSearch is tested in tests/conformance/ and in test_objective.py."""

from itertools import product

import numpy as np
import pytest
from nasmake.strategies.proxyless import softmax
from nasmake.strategies.reinforce import policy_gradient

REWARDS = np.array([[0.1, 0.9, 0.4], [0.7, 0.2, 0.3]])  # of two decisions with two and three options
ALPHAS = [np.array([0.3, -0.4]), np.array([1.0, 0.0, -0.5])]


def expectation(alphas):
    return softmax(alphas[0]) @ REWARDS @ softmax(alphas[1])


def exact_gradient(decision, step=1e-5):
    def moved(option, by):
        alphas = [alpha.copy() for alpha in ALPHAS]
        alphas[decision][option] += by
        return expectation(alphas)

    options = range(len(ALPHAS[decision]))
    return np.array([(moved(option, step) - moved(option, -step)) / (2 * step) for option in options])


@pytest.mark.parametrize("number", [2, 3])
def test_estimate_is_unbiased(number):
    """The mean over all tuples of samples, weighted by their probability, is the gradient of the expected reward."""
    networks = list(product(range(2), range(3)))
    chance = {(i, j): softmax(ALPHAS[0])[i] * softmax(ALPHAS[1])[j] for i, j in networks}
    mean = [np.zeros(2), np.zeros(3)]
    for samples in product(networks, repeat=number):
        weight = np.prod([chance[network] for network in samples])
        gradients = policy_gradient(ALPHAS, samples, [REWARDS[network] for network in samples])
        mean = [total + weight * gradient for total, gradient in zip(mean, gradients, strict=True)]
    for decision in (0, 1):
        assert mean[decision] == pytest.approx(exact_gradient(decision), abs=1e-9)


def test_equations_number_by_number():
    rng = np.random.default_rng(0)
    samples, rewards = rng.integers([2, 3], size=(5, 2)), rng.random(5)
    gradients = policy_gradient(ALPHAS, samples, rewards)
    for decision, alpha in enumerate(ALPHAS):
        for option, p in enumerate(np.exp(alpha) / np.exp(alpha).sum()):
            terms = [
                (rewards[m] - np.delete(rewards, m).mean()) * ((samples[m, decision] == option) - p) for m in range(5)
            ]
            assert gradients[decision][option] == pytest.approx(sum(terms) / 5, abs=1e-14)


def test_gradients_sum_to_zero_and_ignore_a_constant_that_is_added_to_all_rewards():
    rng = np.random.default_rng(1)
    samples, rewards = rng.integers([2, 3], size=(8, 2)), rng.random(8)
    gradients, shifted = policy_gradient(ALPHAS, samples, rewards), policy_gradient(ALPHAS, samples, rewards + 100)
    for gradient, other in zip(gradients, shifted, strict=True):
        assert gradient.sum() == pytest.approx(0, abs=1e-14)
        assert gradient == pytest.approx(other, abs=1e-12)
    assert all(not gradient.any() for gradient in policy_gradient(ALPHAS, samples, [0.5] * 8))


def test_ascent_finds_the_best_network():
    rng, alphas = np.random.default_rng(2), [np.zeros(2), np.zeros(3)]
    for _ in range(300):
        samples = np.stack([rng.choice(alpha.size, size=10, p=softmax(alpha)) for alpha in alphas], axis=1)
        gradients = policy_gradient(alphas, samples, REWARDS[samples[:, 0], samples[:, 1]])
        alphas = [alpha + gradient for alpha, gradient in zip(alphas, gradients, strict=True)]
    assert [alpha.argmax() for alpha in alphas] == [0, 1]
    assert expectation(alphas) > 0.85


def test_one_sample_has_no_baseline():
    with pytest.raises(ValueError, match="rewards has 1 samples; expected 2 or more"):
        policy_gradient(ALPHAS, [[0, 0]], [1.0])

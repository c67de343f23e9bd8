"""The update rule of ASNG against the published equations. AsngSearch is tested in tests/conformance/."""

import json
from math import ceil, exp, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasmake.strategies.asng import ASNG, cost_direction, ranking_utilities

PROXYLESS_CIFAR10 = [6, 7, 6, 7, 7, 6, 7, 7, 7, 6, 7, 7, 6, 7, 7, 6]
MIXED = [3, 1, 5, 2, 4, 1]


class Reference:
    """The published equations on plain lists, number by number and without padding."""

    def __init__(self, categories, alpha=1.5, delta0=1.0, delta_max=inf, epsilon=0.0, costs=None):
        self.theta = [[1 / options] * options for options in categories]
        self.alpha, self.delta0, self.delta_max, self.epsilon, self.costs = alpha, delta0, delta_max, epsilon, costs
        self.s, self.gamma, self.Delta = [0.0] * sum(options - 1 for options in categories), 0.0, 1.0

    def update(self, samples, losses):
        delta = self.delta0 / self.Delta
        beta = delta / sqrt(len(self.s))
        utilities = self.utilities(losses)
        if len(set(utilities)) == 1:
            return
        gradient = self.gradient(samples, utilities)
        z = self.whitened(gradient)
        n = sqrt(sum(value * value for value in z))
        if n < 1e-12:
            return
        for row, slopes in zip(self.theta, gradient, strict=True):
            for j, value in enumerate(slopes):
                row[j] += delta * value / n
        self.project()
        self.s = [(1 - beta) * old + sqrt(beta * (2 - beta)) * new / n for old, new in zip(self.s, z, strict=True)]
        self.gamma = (1 - beta) ** 2 * self.gamma + beta * (2 - beta)
        signal = sum(value * value for value in self.s) / self.alpha
        self.Delta = min(self.delta_max, self.Delta * exp(beta * (self.gamma - signal)))

    def utilities(self, losses):
        lam, mu = len(losses), ceil(len(losses) / 4)
        by_rank = [(rank < mu) / mu - (rank >= lam - mu) / mu for rank in range(lam)]
        order = sorted(losses)
        shared = {}
        for loss in losses:
            ranks = [rank for rank in range(lam) if order[rank] == loss]
            shared[loss] = sum(by_rank[rank] for rank in ranks) / len(ranks)
        return [shared[loss] for loss in losses]

    def gradient(self, samples, utilities):
        mean = sum(utilities) / len(utilities)
        gradient = [[0.0] * len(row) for row in self.theta]
        for i, row in enumerate(self.theta):
            for j, p in enumerate(row):
                for sample, u in zip(samples, utilities, strict=True):
                    gradient[i][j] += (u - mean) * ((sample[i] == j) - p) / len(samples)
        if self.epsilon:
            largest = max(max(row) for row in self.costs)
            for i, row in enumerate(self.theta):
                expected = sum(p * c for p, c in zip(row, self.costs[i], strict=True))
                for j, p in enumerate(row):
                    gradient[i][j] -= self.epsilon * p * (self.costs[i][j] - expected) / largest
        return gradient

    def whitened(self, gradient):
        z = []
        for row, slopes in zip(self.theta, gradient, strict=True):
            free, last = sum(slopes[:-1]), row[-1]
            z += [slopes[j] / sqrt(row[j]) + sqrt(row[j]) * free / (last + sqrt(last)) for j in range(len(row) - 1)]
        return z

    def project(self):
        searched = sum(len(row) > 1 for row in self.theta)
        for i, row in enumerate(self.theta):
            if len(row) == 1:
                continue
            least = 1 / (searched * (len(row) - 1))
            row = [max(p, least) for p in row]
            room, excess = sum(p - least for p in row), sum(row) - 1
            row = [p - excess * (p - least) / room for p in row]
            self.theta[i] = [p / sum(row) for p in row]


def same(asng, reference, tolerance=1e-8):
    for row, expected in zip(asng.theta, reference.theta, strict=True):
        assert row[: len(expected)] == pytest.approx(expected, abs=tolerance)
        assert not row[len(expected) :].any()
    assert asng.s == pytest.approx(reference.s, abs=tolerance)
    assert (asng.gamma, asng.Delta) == pytest.approx((reference.gamma, reference.Delta), rel=tolerance, abs=tolerance)


def draw(asng, rng, count):
    """Draw `count` decision vectors from theta."""
    draws = rng.random((count, len(asng.theta), 1))
    free = np.arange(asng.theta.shape[1]) < (asng.theta > 0).sum(axis=1, keepdims=True) - 1
    return ((draws >= asng.theta.cumsum(axis=1)) & free).sum(axis=-1)


def convergence(asng):
    """Largest probability of a decision, as a mean over the decisions."""
    return asng.theta.max(axis=1).mean()


def wrong(samples, best):
    return (samples != best).sum(axis=1)


@pytest.mark.parametrize(("lam", "values"), [(2, 10**6), (3, 10**6), (8, 10**6), (8, 3), (5, 2), (1, 2)])
@pytest.mark.parametrize("categories", [MIXED, [2, 3, 2], [4] * 6, PROXYLESS_CIFAR10], ids=str)
def test_trajectory_is_the_published_one(categories, lam, values):
    """The losses are random. With few possible `values` they tie: among the best, among the worst, or all of them."""
    rng = np.random.default_rng(lam * values)
    asng, reference = ASNG(categories), Reference(categories)
    for _ in range(60):
        samples = draw(asng, rng, lam)
        losses = rng.integers(-values, values, size=lam) / 7 if values > 3 else rng.integers(values, size=lam) - 1.0
        asng.update(samples, losses)
        reference.update(samples.tolist(), losses.tolist())
        same(asng, reference)


@pytest.mark.parametrize("changes", [{"alpha": 3.0, "delta0": 0.3}, {"delta_max": 0.9}, {"epsilon": 0.5}], ids=str)
def test_trajectory_with_other_settings_and_a_signal(changes):
    rng = np.random.default_rng(0)
    if "epsilon" in changes:
        changes = changes | {"costs": [rng.random(options).tolist() for options in MIXED]}
    asng, reference = ASNG(MIXED, **changes), Reference(MIXED, **changes)
    for _ in range(100):
        samples = draw(asng, rng, 6)
        losses = samples.sum(axis=1) + 0.1 * rng.random(6)
        asng.update(samples, losses)
        reference.update(samples.tolist(), losses.tolist())
        same(asng, reference)


def test_one_update_by_hand():
    """Two decisions have three options. The first of two samples is better: theta moves along their difference."""
    asng = ASNG([3, 3], delta0=0.1)
    asng.update([[0, 1], [2, 1]], [0.5, 0.7])
    # G = (1/2)[(1,0,0) - (0,0,1)] in the first decision; z = sqrt(3) (1/2, 0) + (1/sqrt 3)(1/2) / (1/3 + 1/sqrt 3)
    z = np.array([sqrt(3) / 2, 0]) + 0.5 / sqrt(3) / (1 / 3 + 1 / sqrt(3))
    step = 0.1 * 0.5 / np.linalg.norm(z)
    assert asng.theta[1] == pytest.approx([1 / 3] * 3, abs=1e-15)
    assert asng.theta[0] == pytest.approx([1 / 3 + step, 1 / 3, 1 / 3 - step], abs=1e-15)
    beta = 0.1 / 2
    assert asng.gamma == pytest.approx(beta * (2 - beta)) and asng.s @ asng.s == pytest.approx(asng.gamma)
    assert asng.Delta == pytest.approx(exp(beta * asng.gamma * (1 - 1 / 1.5)))


@pytest.mark.parametrize(
    ("losses", "utilities"),
    [
        ([3.0, 1.0, 2.0, 4.0], [0, 1, 0, -1]),
        ([1, 2, 3, 4, 5], [0.5, 0.5, 0, -0.5, -0.5]),
        ([1, 1, 2, 3], [0.5, 0.5, 0, -1]),
        ([-1, -1, -1, 5], [1 / 3, 1 / 3, 1 / 3, -1]),
        ([2, 2, 2], [0, 0, 0]),
        ([0.1, float("nan"), 0.3, float("inf")], [1, -1, 0, 0]),
        ([1, float("nan"), float("nan"), 2], [1, -0.5, -0.5, 0]),
    ],
)
def test_utilities(losses, utilities):
    assert ranking_utilities(losses) == pytest.approx(utilities)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=6).filter(
        lambda counts: sum(options > 1 for options in counts) > 1
    ),
    st.integers(0, 10**6),
    st.floats(0.01, 20),
    st.floats(0.05, 10),
)
def test_every_theta_is_a_distribution_within_its_bounds(categories, seed, delta0, alpha):
    """This holds for all settings, also where the published recursion of Delta has no real value."""
    rng = np.random.default_rng(seed)
    asng, best = ASNG(categories, alpha=alpha, delta0=delta0), [options - 1 for options in categories]
    searched = sum(options > 1 for options in categories)
    for _ in range(40):
        samples = draw(asng, rng, 4)
        asng.update(samples, wrong(samples, best))
        assert asng.theta.sum(axis=1) == pytest.approx(np.ones(len(categories)), abs=1e-12)
        for row, options in zip(asng.theta, categories, strict=True):
            assert not row[options:].any()
            assert options > 1 or row[0] == 1
            assert options == 1 or row[:options].min() >= 1 / (searched * (options - 1)) - 1e-12
        assert asng.Delta >= 0 and np.isfinite([asng.Delta, asng.gamma, *asng.s]).all()


def frozen(asng, samples, losses):
    before = json.dumps(asng.state_dict())
    asng.update(samples, losses)
    return json.dumps(asng.state_dict()) == before


def test_updates_without_information_change_nothing():
    rng = np.random.default_rng(2)
    asng = ASNG(MIXED, epsilon=0.1, costs=[[1.0] * options for options in MIXED])
    for _ in range(5):
        samples = draw(asng, rng, 8)
        assert not frozen(asng, samples, samples.sum(axis=1) + rng.random(8))
    assert frozen(asng, samples, [0.25] * 8)
    assert frozen(asng, samples[:1], [0.25])
    assert frozen(
        asng, np.repeat(samples[:1], 8, axis=0), rng.random(8)
    )  # all costs are equal and have no direction either
    assert frozen(ASNG([1, 1]), [[0, 0]] * 4, [1, 2, 3, 4])


@pytest.mark.parametrize("seed", range(20))
def test_sixteen_decisions_are_found_within_150_updates(seed):
    rng = np.random.default_rng(seed)
    best = rng.integers(PROXYLESS_CIFAR10)
    asng = ASNG(PROXYLESS_CIFAR10)
    assert convergence(asng) == pytest.approx(np.mean([1 / options for options in PROXYLESS_CIFAR10]))
    for _ in range(150):
        samples = draw(asng, rng, 8)
        asng.update(samples, wrong(samples, best))
    assert asng.theta.argmax(axis=1).tolist() == best.tolist()
    assert convergence(asng) >= 0.90


def test_step_grows_with_the_signal_and_shrinks_without():
    def final(losses):
        rng, asng = np.random.default_rng(0), ASNG(PROXYLESS_CIFAR10)
        for _ in range(30):
            samples = draw(asng, rng, 8)
            asng.update(samples, losses(samples, rng))
        return asng.Delta

    assert final(lambda samples, rng: wrong(samples, 0)) < 1 < final(lambda samples, rng: rng.random(len(samples)))


def test_costs_alone_lead_to_the_cheapest_options():
    """The losses are random numbers and carry no signal."""
    rng = np.random.default_rng(1)
    costs = [rng.permutation(options).tolist() for options in PROXYLESS_CIFAR10]
    asng = ASNG(PROXYLESS_CIFAR10, epsilon=20.0, costs=costs)
    for _ in range(150):
        asng.update(draw(asng, rng, 8), rng.random(8))
    assert asng.theta.argmax(axis=1).tolist() == [row.index(0) for row in costs]
    assert convergence(asng) > 0.85


def test_cost_direction_is_the_natural_gradient_of_the_expected_cost():
    rng = np.random.default_rng(3)
    theta, costs = rng.dirichlet(np.ones(4), size=3), 5 * rng.random((3, 4))
    direction = cost_direction(theta, costs)
    assert direction.sum(axis=1) == pytest.approx(np.zeros(3), abs=1e-15)
    expected = np.vecdot(theta, costs).sum()
    nearer = np.vecdot(theta - 1e-3 * direction, costs).sum()
    assert nearer < expected
    for row, slopes, cost in zip(theta, direction, costs, strict=True):
        free = cost[:-1] - cost[-1]  # by the free parameters, whose inverse Fisher information is the covariance
        covariance = np.diag(row[:-1]) - np.outer(row[:-1], row[:-1])
        assert slopes[:-1] == pytest.approx(covariance @ free / costs.max())


def test_resumed_equals_uninterrupted():
    def advance(asng, first, last):
        for update in range(first, last):
            rng = np.random.default_rng(update)
            samples = draw(asng, rng, 4)
            asng.update(samples, samples.sum(axis=1) + rng.random(4))
        return asng

    whole = advance(ASNG(MIXED), 0, 40)
    state = json.loads(json.dumps(advance(ASNG(MIXED), 0, 17).state_dict()))
    resumed = ASNG(MIXED)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert advance(resumed, 17, 40).state_dict() == whole.state_dict()


@pytest.mark.parametrize("categories", [[3], [1, 4, 1], [2, 0, 3]], ids=str)
def test_categories_without_an_update_rule_are_refused(categories):
    with pytest.raises(ValueError, match=r"categories is .*; expected 1 or more"):
        ASNG(categories)


@pytest.mark.parametrize("costs", [None, [[1, 2]], [[1, 2], [1, 2]], [[0, 0], [0, 0, 0]]], ids=str)
def test_costs_that_do_not_fit_are_refused(costs):
    with pytest.raises(ValueError, match=r"costs is .*; expected \[2, 3\] numbers, the largest above 0"):
        ASNG([2, 3], epsilon=0.1, costs=costs)


@pytest.mark.parametrize("sample", [[2, 0], [0, -1]], ids=str)
def test_samples_that_are_no_options_are_refused(sample):
    with pytest.raises(
        ValueError, match="samples has an index that is not an option; expected 0 or more, and less than 2, 3"
    ):
        ASNG([2, 3]).update([sample, [0, 0]], [0, 1])

"""Search by a predictor: a linear model of the told scores proposes the networks that it expects to be good.

The model is Bayesian ridge regression of the objective on the choices (MacKay 1992, doi 10.1162/neco.1992.4.3.415).
Each candidate is the best of a pool under one draw of the model's weights: Thompson sampling (Thompson 1933, doi
10.1093/biomet/25.3-4.285). So candidates differ where the model is uncertain. White et al. (arXiv 2104.01177) compare
predictors that guide a search.
"""

import random
from collections.abc import Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation
from nasmake.strategies.population import PopulationStrategy

Values = NDArray[np.float64]
POOL = 100  # networks among which one candidate is chosen; half of them are children of the best ones
PARENTS = 10  # networks whose children are in the pool
FEWEST = 4  # evaluated networks that the model needs


class PredictorSearch(PopulationStrategy):
    """Draws a random first generation, then the networks that a model of all evaluations prefers."""

    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation, all of them new."""
        intact = [evaluation for evaluation in observed if isfinite(evaluation.objective)]
        self._posterior = self._fit(intact) if len(intact) >= FEWEST else None
        self._proposed = {evaluation.decisions for evaluation in observed}
        return super().propose(rng, observed)

    def draw(self, rng: random.Random, index: int, ranked: Sequence[Evaluation]) -> Decisions:
        """Return the network of a pool that is best under one draw of the model; a random vector without a model."""
        if self._posterior is None:
            return self.space.sample(rng)
        mean, root = self._posterior
        weights = mean + root @ np.array([rng.gauss() for _ in mean])
        new = [network for network in self._pool(rng, ranked) if network not in self._proposed]
        pool = [network for network in new if self.is_feasible(network)]
        if not pool:
            return self.space.sample(rng)
        chosen = pool[int(np.argmin(self._features(pool) @ weights))]
        self._proposed.add(chosen)
        return chosen

    def _pool(self, rng: random.Random, ranked: Sequence[Evaluation]) -> list[Decisions]:
        """Return canonical vectors: random ones, and children of the best networks with about one mutation each."""
        parents = [evaluation.decisions for evaluation in ranked[:PARENTS]]
        mutation = self.single_mutation
        drawn = [self.space.sample(rng) for _ in range(POOL // 2)]
        for _ in range(POOL // 2):
            child = self.space.crossover(rng.choice(parents), rng.choice(parents), rng)
            drawn.append(self.space.mutate(child, rng, mutation))
        return [self.space.canonical(decisions) for decisions in drawn]

    def _fit(self, evaluations: Sequence[Evaluation]) -> tuple[Values, Values]:
        """Return the mean of the weights, [features], and a root of their covariance, [features, features]."""
        from sklearn.linear_model import BayesianRidge  # takes half a second to load

        objectives = np.array([evaluation.objective for evaluation in evaluations])
        features = self._features([evaluation.decisions for evaluation in evaluations])
        scaled = (objectives - objectives.mean()) / (objectives.std() or 1)
        model = BayesianRidge().fit(features, scaled)
        values, vectors = np.linalg.eigh(model.sigma_)
        return model.coef_, vectors * np.sqrt(np.clip(values, 0, None))

    def _features(self, networks: Sequence[Decisions]) -> Values:
        """Return one column of zeros and ones for every option of every decision, [networks, features]."""
        columns = [np.eye(len(decision.choices)) for decision in self.space.decisions]
        chosen = np.array(networks)
        return np.concatenate([column[chosen[:, index]] for index, column in enumerate(columns)], axis=1)

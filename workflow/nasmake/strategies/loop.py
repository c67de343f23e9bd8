"""The course of a search: what each evaluation of its budget is for, and what was found. No networks here."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nasmake.core.seeding import python_random
from nasmake.search_spaces import Decisions
from nasmake.strategies.base import Evaluation, ProposingStrategy, Strategy
from nasmake.strategies.objective import Objective
from nasmake.strategies.probabilities import Probabilities

Score = Callable[[Decisions], tuple[float, float]]  # val loss and accuracy (0..1) of a network, by its canonical vector


class SearchLoop(ABC):
    """What was evaluated, in places 0, 1, ... one after the other.

    Args:
        strategy: searches.
        score: evaluates a network.

    Attributes:
        observed: what was found, in order; the decisions are those proposed.
        evaluations: the first of them for each network, by its canonical vector.
    """

    def __init__(self, strategy: Strategy, score: Score) -> None:
        self.strategy, self.score = strategy, score
        self.observed: list[Evaluation] = []
        self.evaluations: dict[Decisions, Evaluation] = {}
        self._objective = Objective(strategy.costs, strategy.settings)

    @abstractmethod
    def step(self, step: int) -> tuple[float, float] | None:
        """Do what a place is for; the val loss and accuracy that count in the mean of the epoch, if any do."""

    @abstractmethod
    def conclusion(self) -> Evaluation | None:
        """At the end: the evaluation of the network that the strategy concluded with, if it is one that does."""

    @abstractmethod
    def diagnostics(self, steps: int) -> dict[str, float]:
        """Those of the strategy after so many places."""

    @abstractmethod
    def probabilities(self, steps: int) -> Probabilities:
        """Of the choices of every decision, after so many places: whole epochs."""

    def state_dict(self) -> dict[str, Any]:
        """What a search that stopped needs beside `told`, as numbers, lists and mappings of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        assert not state

    def evaluate(self, candidate: Decisions, generation: int) -> Evaluation:
        """Evaluate a candidate, unless its network was before."""
        network = self.strategy.space.canonical(candidate)
        known = self.evaluations.get(network)
        loss, accuracy = (known.val_loss, known.val_accuracy) if known else self.score(network)
        evaluation = self._objective.evaluation(candidate, loss, accuracy, generation)
        self.tell(evaluation)
        return evaluation

    def tell(self, evaluation: Evaluation) -> None:
        """Add what was found at the next place."""
        self.observed.append(evaluation)
        network = self.strategy.space.canonical(evaluation.decisions)
        self.evaluations.setdefault(network, evaluation._replace(decisions=network))

    def best(self) -> Evaluation:
        """The evaluation with the smallest objective."""
        return min(self.evaluations.values())

    def found(self) -> Evaluation:
        """At the end: the best; the conclusion where cost is weighed, for it is not in the val loss."""
        conclusion = self.conclusion()
        if conclusion is None or math.isinf(conclusion.val_loss) or not self.strategy.weighs_cost:
            return self.best()
        return conclusion


class ProposalLoop(SearchLoop):
    """Goes through the places 0, 1, ... budget - 1 of a search, one candidate each.

    What a place is for is a function of the seed, the place and what was told before, so a search that stopped goes on
    from `observed` alone. A network that was evaluated before is not evaluated again, but takes its place.

    Args:
        strategy: proposes the candidates.
        seed_key: the place of all random draws, such as (seed, "search_architecture").
        budget: number of evaluations.
        score: evaluates a network.
    """

    strategy: ProposingStrategy

    def __init__(self, strategy: ProposingStrategy, seed_key: tuple[int | str, ...], budget: int, score: Score) -> None:
        super().__init__(strategy, score)
        self.seed_key, self.budget = seed_key, budget
        self._generation = lru_cache(maxsize=1)(self._propose)

    def step(self, step: int) -> tuple[float, float] | None:
        """Evaluate one candidate; None, if space or budget have no more of them, or if this one is broken."""
        if step >= self.budget:
            return None
        candidate, generation = self._candidate(step)
        if candidate is None:
            return None
        evaluation = self.evaluate(candidate, generation)
        return None if math.isinf(evaluation.val_loss) else (evaluation.val_loss, evaluation.val_accuracy)

    def conclusion(self) -> Evaluation | None:
        """At the end: the evaluation of the network that the strategy concluded with, if it is one that does."""
        concluded = self.strategy.conclusion(self.observed[:-1])
        return self.evaluations[self.strategy.space.canonical(concluded)] if concluded else None

    def diagnostics(self, steps: int) -> dict[str, float]:
        """Those of the strategy after so many places, by its whole generations; at the end by everything."""
        return self.strategy.diagnostics(self._whole(steps))

    def probabilities(self, steps: int) -> Probabilities:
        """Of the choices of every decision, after so many places, by the same evaluations."""
        return self.strategy.probabilities_after(self._whole(steps))

    def _candidate(self, step: int) -> tuple[Decisions | None, int]:
        """The candidate of a place and its generation; a conclusion is a generation of its own."""
        generation, index = divmod(step, self.strategy.generation_size)
        if step + 1 == self.budget and (conclusion := self.strategy.conclusion(self.observed)):
            return conclusion, generation + bool(index)
        candidates = self._generation(generation)
        return (candidates[index] if index < len(candidates) else None), generation

    def _propose(self, generation: int) -> list[Decisions]:
        return self.strategy.propose(python_random(*self.seed_key, generation), self._before(generation))

    def _whole(self, steps: int) -> list[Evaluation]:
        return self._before(steps // self.strategy.generation_size) if steps < self.budget else self.observed

    def _before(self, generation: int) -> list[Evaluation]:
        return [evaluation for evaluation in self.observed if evaluation.generation < generation]

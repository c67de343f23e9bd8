"""The search loop: decide what each step evaluates, record the scores, and return the best architecture.

The loop knows networks as decision vectors only. A `Score` function evaluates them; the stages provide this function.
"""

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

Score = Callable[[Decisions], tuple[float, float]]  # from a canonical vector to val loss and val accuracy (0 to 1)


class SearchLoop(ABC):
    """The steps 0, 1, ... of a search and their evaluations.

    Args:
        strategy: the search strategy.
        score: evaluates a network.

    Attributes:
        observed: all evaluations in order, with the decisions as they were proposed.
        evaluations: the first evaluation of every network, by its canonical vector.
    """

    def __init__(self, strategy: Strategy, score: Score) -> None:
        self.strategy, self.score = strategy, score
        self.observed: list[Evaluation] = []
        self.evaluations: dict[Decisions, Evaluation] = {}
        self._objective = Objective(strategy.costs, strategy.settings)

    @abstractmethod
    def step(self, step: int) -> tuple[float, float] | None:
        """Run one step and return its val loss and val accuracy, or None if the epoch's mean should skip this step."""

    @abstractmethod
    def conclusion(self) -> Evaluation | None:
        """Return, after the last step, the evaluation of the strategy's conclusion, or None without a conclusion."""

    @abstractmethod
    def diagnostics(self, steps: int) -> dict[str, float]:
        """Return the diagnostics of the strategy after the first `steps` steps."""

    @abstractmethod
    def probabilities(self, steps: int) -> Probabilities:
        """Return the probabilities of the options after the first `steps` steps, a whole number of epochs."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed search needs beside `observed`, as numbers, lists and mappings."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        assert not state

    def evaluate(self, candidate: Decisions, generation: int) -> Evaluation:
        """Evaluate a candidate and record it. A network that was evaluated before keeps its scores.

        Args:
            candidate: the vector as it was proposed.
            generation: the generation of the proposal.
        """
        network = self.strategy.space.canonical(candidate)
        known = self.evaluations.get(network)
        loss, accuracy = (known.val_loss, known.val_accuracy) if known else self.score(network)
        evaluation = self._objective.evaluation(candidate, loss, accuracy, generation)
        self.tell(evaluation)
        return evaluation

    def tell(self, evaluation: Evaluation) -> None:
        """Record the next evaluation."""
        self.observed.append(evaluation)
        network = self.strategy.space.canonical(evaluation.decisions)
        self.evaluations.setdefault(network, evaluation._replace(decisions=network))

    def best(self) -> Evaluation:
        """Return the evaluation with the smallest objective."""
        return min(self.evaluations.values())

    def found(self) -> Evaluation:
        """Return, after the last step, the result of the search.

        The result is the best evaluation. If the strategy weighs cost, the result is the conclusion instead, because
        the val loss does not contain the cost.
        """
        conclusion = self.conclusion()
        if conclusion is None or math.isinf(conclusion.val_loss) or not self.strategy.weighs_cost:
            return self.best()
        return conclusion


class ProposalLoop(SearchLoop):
    """A search with `budget` steps, each of which evaluates one candidate of a proposing strategy.

    The candidate of a step is a function of the seed key, the step and the earlier evaluations. A search that stopped
    therefore continues from `observed` alone. A network that was evaluated before still uses up its step.

    Args:
        strategy: proposes the candidates.
        seed_key: the first parts of the seed key of all random draws, such as (seed, "search_architecture").
        budget: number of steps.
        score: evaluates a network.
    """

    strategy: ProposingStrategy

    def __init__(self, strategy: ProposingStrategy, seed_key: tuple[int | str, ...], budget: int, score: Score) -> None:
        super().__init__(strategy, score)
        self.seed_key, self.budget = seed_key, budget
        self._generation = lru_cache(maxsize=1)(self._propose)

    def step(self, step: int) -> tuple[float, float] | None:
        """Evaluate one candidate.

        Returns:
            Val loss and accuracy; None if the space or the budget has no further candidate, or if the network is
            broken.
        """
        if step >= self.budget:
            return None
        generation, index = divmod(step, self.strategy.generation_size)
        last = step + 1 == self.budget
        candidate = self.strategy.conclusion(self.observed) if last else None
        if candidate is not None:
            generation += bool(index)  # the conclusion is a generation by itself
        elif index < len(candidates := self._generation(generation)):
            candidate = candidates[index]
        else:
            return None
        evaluation = self.evaluate(candidate, generation)
        return None if math.isinf(evaluation.val_loss) else (evaluation.val_loss, evaluation.val_accuracy)

    def conclusion(self) -> Evaluation | None:
        """Return, after the last step, the evaluation of the strategy's conclusion, or None without a conclusion."""
        concluded = self.strategy.conclusion(self.observed[:-1])
        return self.evaluations[self.strategy.space.canonical(concluded)] if concluded else None

    def diagnostics(self, steps: int) -> dict[str, float]:
        """Return the diagnostics of the strategy after all generations that are complete within `steps` steps.

        After the last step all evaluations count.
        """
        return self.strategy.diagnostics(self._complete(steps))

    def probabilities(self, steps: int) -> Probabilities:
        """Return the probabilities of the options after the same evaluations as for `diagnostics`."""
        return self.strategy.probabilities_after(self._complete(steps))

    def _propose(self, generation: int) -> list[Decisions]:
        return self.strategy.propose(python_random(*self.seed_key, generation), self._before(generation))

    def _complete(self, steps: int) -> list[Evaluation]:
        return self._before(steps // self.strategy.generation_size) if steps < self.budget else self.observed

    def _before(self, generation: int) -> list[Evaluation]:
        return [evaluation for evaluation in self.observed if evaluation.generation < generation]

"""What all strategies share: limits, generations; and, for those that propose each network once, how that is kept."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from nasmake.config.search import Search
from nasmake.core.errors import InputError
from nasmake.costs.table import CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.constraints import is_feasible, limits_of
from nasmake.strategies.probabilities import Probabilities, concentration, shares

TRIES = 500  # draws of each kind for one candidate that is new and within the limits, before the generation ends short


class Evaluation(NamedTuple):
    """One scored architecture. Smaller sorts better; equals are decided by the decisions, never by history."""

    objective: float  # see strategies.objective; infinite where the network is broken
    tie: float  # what decides between equal objectives
    decisions: Decisions
    val_loss: float
    val_accuracy: float
    generation: int

    def to_list(self) -> list[Any]:
        """The fields as a checkpoint can hold them."""
        return list(self._replace(decisions=list(self.decisions)))  # type: ignore[arg-type]

    @classmethod
    def from_list(cls, fields: Sequence[Any]) -> "Evaluation":
        """Back from `to_list()`."""
        evaluation = cls._make(fields)
        return evaluation._replace(decisions=tuple(evaluation.decisions))


class Strategy:
    """Searches within hard limits.

    Attributes:
        columns: names of the diagnostics.
    """

    columns: ClassVar[tuple[str, ...]] = ("entropy", "max_probability")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self.space, self.costs, self.settings = space, costs, settings
        limited: Iterable[Metric] = limits_of(settings.constraint) or ("parameters",)
        self._cheapest = [costs.cheapest(metric) for metric in limited]
        costs.require(settings.front)

    @property
    def weighs_cost(self) -> bool:
        """Whether the search is after more than a small val loss, so that it ends with what the strategy concludes."""
        return False

    def is_feasible(self, decisions: Decisions) -> bool:
        """Whether an architecture is within all limits."""
        return is_feasible(self.costs, self.settings, decisions)

    def point(self, evaluation: Evaluation) -> tuple[float, ...]:
        """Val loss and the costs of search.front, by which networks are compared where no one number decides."""
        costs = self.costs.of(evaluation.decisions)
        return evaluation.val_loss, *(costs[metric] for metric in self.settings.front)

    def repaired(self, rng: random.Random, drawn: Decisions, cheapest: Decisions) -> Decisions:
        """The vector with decisions taken from `cheapest`, in random order, until it keeps the limits.

        For limits that leave too little to be hit by chance, and for parents that have no new children left. With
        several limits the network that is the cheapest by one may break another: then the result does too.
        """
        changed = list(drawn)
        for place in rng.sample(range(len(changed)), len(changed)):
            if self.is_feasible(self.space.canonical(tuple(changed))):
                break
            changed[place] = cheapest[place]
        return tuple(changed)

    def no_architecture(self) -> InputError:
        """The error of limits that leave nothing to begin with."""
        return InputError(f"search.constraint: no architecture found that keeps all of {self.settings.constraint}")


class ProposingStrategy(Strategy, ABC):
    """Proposes candidates, a generation at a time, and is told their scores.

    A generation is a function of its random generator and of the evaluations told, in their order, of the generations
    before; there is no other state.
    """

    @property
    @abstractmethod
    def generation_size(self) -> int:
        """Candidates of one generation."""

    @abstractmethod
    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """The candidates of the next generation: generation_size of them, fewer if no more are found.

        Raises:
            InputError: no architecture keeps the limits.
        """

    def conclusion(self, observed: Sequence[Evaluation]) -> Decisions | None:
        """What the last evaluation of the search is for; None: one more candidate."""
        return None

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """How the search is doing, by the names in `columns`."""
        return concentration(self.probabilities_after(observed))

    def probabilities_after(self, observed: Sequence[Evaluation]) -> Probabilities:
        """Of the choices of every decision: here their shares among the candidates of the last generation told."""
        last = max((evaluation.generation for evaluation in observed), default=0)
        vectors = [evaluation.decisions for evaluation in observed if evaluation.generation == last]
        return shares(vectors, [len(decision.choices) for decision in self.space.decisions])

"""Base classes of the search strategies and the record of one evaluation.

`Strategy` holds what every strategy needs: the search space, the costs and the hard limits. `ProposingStrategy` adds
proposals in generations. The strategies themselves, their update rules and the search loop are in other modules of this
package. Snakemake imports this module while it reads the workflow, so numpy must not be imported here.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

from nasmake.config.search import Search
from nasmake.core.errors import InputError
from nasmake.costs.table import CostTable, Metric
from nasmake.search_spaces import Decisions, SearchSpace
from nasmake.strategies.constraints import is_feasible, limits_of
from nasmake.strategies.probabilities import Probabilities, concentration, shares

TRIES = 500  # draws of each kind for one candidate; after the last one a strategy gives up


class Evaluation(NamedTuple):
    """One evaluated architecture. A smaller evaluation is better.

    Evaluations with equal objective and equal tie are ordered by their decisions, so the order never depends on which
    of them was evaluated first.

    Attributes:
        objective: the number to minimise, see `nasmake.strategies.objective`; infinite for a broken network.
        tie: decides between equal objectives; smaller is better.
        decisions: the decision vector, as it was proposed.
        val_loss: mean cross-entropy on the validation set; infinite for a broken network.
        val_accuracy: 0 to 1.
        generation: 0 for the first generation.
    """

    objective: float
    tie: float
    decisions: Decisions
    val_loss: float
    val_accuracy: float
    generation: int

    def to_list(self) -> list[Any]:
        """Return the fields as plain numbers and lists, for a checkpoint."""
        return list(self._replace(decisions=list(self.decisions)))  # type: ignore[arg-type]

    @classmethod
    def from_list(cls, fields: Sequence[Any]) -> "Evaluation":
        """Return the evaluation whose `to_list()` is `fields`."""
        evaluation = cls._make(fields)
        return evaluation._replace(decisions=tuple(evaluation.decisions))


class Strategy:
    """A search within the hard limits of search.constraint.

    Args:
        space: the search space.
        costs: costs of the networks of this space.
        settings: section `search`.

    Attributes:
        columns: names of the strategy's diagnostics, in the order of their columns in the history.

    Raises:
        InputError: a limit or search.front names the latency, and the table has no latencies.
    """

    columns: ClassVar[tuple[str, ...]] = ("entropy", "max_probability")

    def __init__(self, space: SearchSpace, costs: CostTable, settings: Search) -> None:
        self.space, self.costs, self.settings = space, costs, settings
        limited: Iterable[Metric] = limits_of(settings.constraint) or ("parameters",)
        self._cheapest = [costs.cheapest(metric) for metric in limited]
        costs.require(settings.front)

    @property
    def weighs_cost(self) -> bool:
        """Whether the strategy trades val loss against cost.

        The search then returns the strategy's conclusion, because the best val loss ignores the cost.
        """
        return False

    def is_feasible(self, decisions: Decisions) -> bool:
        """Return whether an architecture is within all limits."""
        return is_feasible(self.costs, self.settings, decisions)

    def point(self, evaluation: Evaluation) -> tuple[float, ...]:
        """Return val loss and the costs of search.front, the coordinates of the Pareto front."""
        costs = self.costs.of(evaluation.decisions)
        return evaluation.val_loss, *(costs[metric] for metric in self.settings.front)

    def attempts(self) -> Iterator[Decisions | None]:
        """Yield what each attempt to draw one candidate may use.

        The first 500 attempts draw freely (None). 500 further attempts for each limit repair the drawn vector with the
        cheapest network of the limited metric. Repairs find candidates where the limits leave too few networks to draw
        one by chance.
        """
        for cheapest in (None, *self._cheapest):
            yield from repeat(cheapest, TRIES)

    def repaired(self, rng: random.Random, drawn: Decisions, cheapest: Decisions) -> Decisions:
        """Return `drawn` with decisions of `cheapest`, taken in random order until the vector is within the limits.

        With several limits, the network that is cheapest by one metric may break the limit of another. Then the result
        may break this limit too.
        """
        changed = list(drawn)
        for position in rng.sample(range(len(changed)), len(changed)):
            if self.is_feasible(self.space.canonical(tuple(changed))):
                break
            changed[position] = cheapest[position]
        return tuple(changed)

    def no_architecture(self) -> InputError:
        """Return the error to raise if no attempt draws a feasible architecture."""
        limits = ", ".join(f"{metric} {limit}" for metric, limit in limits_of(self.settings.constraint).items())
        return InputError(
            f"search.constraint is {limits}; expected limits that at least one architecture keeps, but none was found"
        )


class ProposingStrategy(Strategy, ABC):
    """A strategy that proposes candidates generation by generation and observes their evaluations.

    A generation is a function of its random generator and of the evaluations of all earlier generations, in their
    order. There is no other state.
    """

    @property
    @abstractmethod
    def generation_size(self) -> int:
        """Number of candidates in one generation."""

    @abstractmethod
    def propose(self, rng: random.Random, observed: Sequence[Evaluation]) -> list[Decisions]:
        """Return the candidates of the next generation: `generation_size` vectors, or fewer if no more are found.

        Args:
            rng: the source of all random draws of this generation.
            observed: evaluations of all earlier generations, in order.

        Raises:
            InputError: no architecture is within the limits.
        """

    def conclusion(self, observed: Sequence[Evaluation]) -> Decisions | None:
        """Return the vector that the last evaluation of the search is for, or None for one more candidate."""
        return None

    def diagnostics(self, observed: Sequence[Evaluation]) -> dict[str, float]:
        """Return the progress of the search after these evaluations, by the names in `columns`."""
        return concentration(self.probabilities_after(observed))

    def probabilities_after(self, observed: Sequence[Evaluation]) -> Probabilities:
        """Return the probabilities of the options of every decision after these evaluations.

        Here they are the shares of the options among the candidates of the last observed generation.
        """
        last = max((evaluation.generation for evaluation in observed), default=0)
        vectors = [evaluation.decisions for evaluation in observed if evaluation.generation == last]
        return shares(vectors, [len(decision.choices) for decision in self.space.decisions])

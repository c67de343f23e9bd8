"""Sections `optimize`, `promote` and `final`: the study over hyperparameters and its final training."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from nasmake.config.base import Epochs, Section, Seed, parsed
from nasmake.core.errors import shown

SAMPLERS = ("Tpe", "Random", "Sobol", "Grid", "NelderMead")
SEARCH_ALGORITHMS = Literal[
    "aiaccel.optimizer.TpeOptimizer",
    "aiaccel.optimizer.RandomOptimizer",
    "aiaccel.optimizer.SobolOptimizer",
    "aiaccel.optimizer.GridOptimizer",
    "aiaccel.optimizer.NelderMeadOptimizer",
    "TpeOptimizer",
    "RandomOptimizer",
    "SobolOptimizer",
    "GridOptimizer",
    "NelderMeadOptimizer",
    "Tpe",
    "Random",
    "Sobol",
    "Grid",
    "NelderMead",
]
OBJECTIVES = Literal["val_accuracy", "macs", "parameters", "latency_ms"]
Bound = Annotated[float, Field(ge=-1e15, le=1e15)]  # of a hyperparameter
Trials = Annotated[int, Field(ge=1, le=9999)]


class Parameter(Section):
    """One hyperparameter of the study."""

    # Examples in the methods: a uniform_int with lower 10, upper 30 and step 10, which has the values 10, 20 and 30.

    name: Annotated[str, Field(max_length=200)] = Field(
        description="name of the hyperparameter: the dotted path of a key, or a name of aiaccel for it"
    )
    type: Literal["uniform_int", "uniform_float", "categorical"] = Field(
        description="kind of the values: whole numbers, numbers, or the entries of choices"
    )
    lower: Bound | None = Field(None, description="smallest value of a number")
    upper: Bound | None = Field(None, description="largest value of a number")
    step: Annotated[float, Field(ge=1e-12, le=1e15)] | None = Field(
        None,
        description="distance between two neighbouring values, starting at lower; null: 1 for uniform_int, none for "
        "uniform_float",
    )
    choices: Annotated[list[Any], Field(max_length=1000)] | None = Field(
        None, description="values of a categorical hyperparameter"
    )
    log: bool = Field(False, description="sample on a logarithmic scale")
    initial: Any = Field(
        None, description="value in trial 0, or a list of the values in the first trials; null: sampled like the others"
    )
    when: dict[str, Any] = Field(
        default_factory=dict,
        description="condition for sampling: each of these keys has the given value, or one of a given list",
    )

    @field_validator("choices", mode="after")
    @classmethod
    def _choices_from_text(cls, choices: list[Any] | None) -> list[Any] | None:
        return choices and [parsed(choice) if isinstance(choice, str) else choice for choice in choices]

    @field_validator("when", mode="after")
    @classmethod
    def _conditions(cls, when: dict[str, Any]) -> dict[str, list[Any]]:
        lists = {name: value if isinstance(value, list) else [value] for name, value in when.items()}
        return {name: [parsed(v) if isinstance(v, str) else v for v in values] for name, values in lists.items()}

    @model_validator(mode="after")
    def _check(self) -> "Parameter":
        if self.type == "categorical":
            self._check_choices()
            return self
        self._check_range()
        if isinstance(self.initial, list):
            self.initial = [None if value is None else self._checked_number(value) for value in self.initial]
        elif self.initial is not None:
            self.initial = self._checked_number(self.initial)
        return self

    @property
    def first_values(self) -> list[Any]:
        """Values in trials 0, 1, ...; None where the sampler decides. The list is empty without `initial`."""
        if self.initial is None:
            return []
        is_list = isinstance(self.initial, list) and self.initial not in (self.choices or [])
        return self.initial if is_list else [self.initial]

    @property
    def size(self) -> float:
        """Number of values; infinite for a uniform_float without step. Example: 3."""
        if self.type == "categorical":
            return len(self.choices or [])
        step = self._step
        return math.inf if step is None else math.floor(round((self._high - self._low) / step, 9)) + 1

    def value(self, index: int) -> Any:
        """Return the value with this index.

        Example: `value(1)` is 20.

        Args:
            index: 0 .. size - 1; `size` must be finite.
        """
        if self.type == "categorical":
            return (self.choices or [])[index]
        exact = Decimal(str(self._low)) + index * Decimal(str(self._step))
        return int(exact) if self.type == "uniform_int" else float(exact)

    def index(self, value: float) -> int:
        """Return the index of the value that is nearest to a number.

        Example: `index(19)` is 1.

        Args:
            value: a number from lower to upper.
        """
        return round((value - self._low) / (self._step or 1.0))

    def at(self, coordinate: float) -> Any:
        """Return the value at a coordinate from 0 to 1.

        On a linear scale, every value of a finite number covers an interval of the same length. Example: `at(0.5)` is
        20, as for all coordinates from 1/3 to 2/3.
        """
        if self.log:
            low, high = self._log_bounds
            number = min(max(math.exp(low + coordinate * (high - low)), self._low), self._high)
            return round(number) if self.type == "uniform_int" else number
        if math.isinf(self.size):
            return min(self._low + coordinate * (self._high - self._low), self._high)
        return self.value(min(int(coordinate * self.size), int(self.size) - 1))

    def coordinate(self, value: float) -> float:
        """Return the coordinate from 0 to 1 of a number; `at` is the inverse function.

        Example: `coordinate(20)` is 0.5.

        Args:
            value: a number from lower to upper. Categorical hyperparameters have no coordinates.
        """
        if self.log:
            low, high = self._log_bounds
            return (math.log(value) - low) / (high - low or 1.0)
        if math.isinf(self.size):
            return (value - self._low) / (self._high - self._low)
        return (self.index(value) + 0.5) / self.size

    def snapped(self, value: Any) -> Any:
        """Remove rounding errors from the value of a uniform_float with step; return other values unchanged.

        Example: with lower 0 and step 0.1, `snapped(0.30000000000000004)` is 0.3.
        """
        return self.value(self.index(value)) if self.type == "uniform_float" and self._step else value

    @property
    def _low(self) -> float:
        assert self.lower is not None  # _check_range has refused None
        return self.lower

    @property
    def _high(self) -> float:
        assert self.upper is not None  # _check_range has refused None
        return self.upper

    @property
    def _step(self) -> float | None:
        if self.step is None and (self.type == "uniform_int" or self.lower == self.upper):
            return 1.0
        return self.step

    @property
    def _log_bounds(self) -> tuple[float, float]:
        half = 0.5 if self.type == "uniform_int" else 0.0  # the outer values get as much of the scale as the others
        return math.log(self._low - half), math.log(self._high + half)

    def _check_choices(self) -> None:
        numbers = (self.lower, self.upper, self.step)
        if not self.choices or any(number is not None for number in numbers) or self.log:
            raise ValueError(f"{self.name}: categorical takes choices (not empty), and no lower, upper, step or log")
        for value in self.first_values:
            if value is not None and value not in self.choices:
                raise ValueError(f"{self.name}: initial is {shown(value)}; expected one of {shown(self.choices)}")

    def _check_range(self) -> None:
        lower, upper, step = self.lower, self.upper, self.step
        if lower is None or upper is None or self.choices is not None:
            raise ValueError(f"{self.name}: {self.type} takes lower and upper, and no choices")
        if lower > upper:
            raise ValueError(f"{self.name}: lower is {lower:g}; expected at most upper, {upper:g}")
        if self.log and lower <= 0:
            raise ValueError(f"{self.name}: lower is {lower:g}; expected more than 0 with log: true")
        if self.log and step is not None:
            raise ValueError(f"{self.name}: step is {step:g}; expected null with log: true")
        for key, number in (("lower", lower), ("upper", upper), ("step", step)):
            if self.type == "uniform_int" and number is not None and number % 1:
                raise ValueError(f"{self.name}: {key} is {number:g}; expected a whole number for uniform_int")

    def _checked_number(self, value: Any) -> float:
        """Return an initial value as a number of the parameter's type."""
        start = f"{self.name}: initial is {shown(value)}; expected"
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{start} a number")
        if self.type == "uniform_int" and number % 1:
            raise ValueError(f"{start} a whole number for uniform_int")
        if not self._low <= number <= self._high:
            raise ValueError(f"{start} {self._low:g} .. {self._high:g}")
        if self.step is not None and not math.isclose(self.value(self.index(number)), number, abs_tol=1e-12):
            nearest = self.value(min(self.index(number), int(self.size) - 1))
            raise ValueError(f"{start} a multiple of step {self.step:g} above lower; did you mean {nearest:g}?")
        return int(number) if self.type == "uniform_int" else number


def _full_name(name: Any) -> Any:
    """Return the name of a sampler as aiaccel has it, so that both spellings are the same study."""
    short = str(name).removeprefix("aiaccel.optimizer.").removesuffix("Optimizer")
    if short not in SAMPLERS:
        raise ValueError(f"expected one of {', '.join(SAMPLERS)}, or aiaccel's name such as GridOptimizer")
    return name if str(name).endswith("Optimizer") else f"{short}Optimizer"


class Optimize(Section):
    """The study over hyperparameters."""

    search_algorithm: Annotated[SEARCH_ALGORITHMS, BeforeValidator(_full_name)] = Field(
        "aiaccel.optimizer.TpeOptimizer",
        description="sampler of hyperparameters: Tpe, Random, Sobol, Grid or NelderMead",
    )
    goal: Literal["maximize"] = Field(
        "maximize", description="direction of the val accuracy; a cost among the objectives is always minimised"
    )
    objectives: Annotated[list[OBJECTIVES], Field(min_length=1, max_length=2)] = Field(
        ["val_accuracy"],
        description="val_accuracy, and optionally a cost (macs, parameters or latency_ms); two objectives give a "
        "Pareto front of trials",
    )
    trial_number: Annotated[int, Field(ge=1, le=9999)] = Field(
        15, description="total number of trials; a larger number extends a finished study"
    )
    rand_seed: Seed = Field(42, description="seed of the sampler")
    lag: Trials | None = Field(
        None,
        description="number of trials that may run at once; trial t uses the results of the trials up to t - lag; "
        "null: resource.num_node",
    )
    n_startup_trials: Trials | None = Field(
        None,
        description="number of completed trials before TPE replaces startup_sampler and before the pruner stops a "
        "trial; null: one more than there are hyperparameters, at most 10",
    )
    startup_sampler: Literal["sobol", "random"] = Field(
        "sobol",
        description="how TPE's first trials are chosen; sobol: points of a Sobol sequence, which cover the ranges "
        "evenly; random: by chance",
    )
    pruner: Literal["none", "median"] = Field(
        "none",
        description="median: stop a retraining whose val accuracy is below the median of the completed trials at the "
        "same epoch",
    )
    n_warmup_epochs: Annotated[int, Field(ge=0, le=100_000)] = Field(
        5, description="number of epochs of a retraining before the pruner begins to compare"
    )
    parameters: Annotated[list[Parameter], Field(max_length=100)] = Field(
        default_factory=list, description="hyperparameters of the study"
    )

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Direction of each objective, as Optuna names it."""
        return ["maximize"] if len(self.objectives) == 1 else ["maximize", "minimize"]

    @property
    def sampler(self) -> str:
        """Name of the sampler without its package, such as TpeOptimizer."""
        return self.search_algorithm.rsplit(".", 1)[-1]

    @property
    def startup_trials(self) -> int:
        """Number of completed trials before TPE and the pruner act.

        It does not depend on trial_number, because a study that is extended keeps the suggestions of its first trials.
        """
        return self.n_startup_trials or min(10, len(self.parameters) + 1)

    @property
    def trials_at_once(self) -> int:
        """The value of `lag` in a configuration that `load` has returned."""
        assert self.lag is not None
        return self.lag

    @model_validator(mode="before")
    @classmethod
    def _refuse_minimize(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("goal") == "minimize":
            raise ValueError("goal is minimize; expected maximize, because the first objective is the val accuracy")
        return values

    @model_validator(mode="after")
    def _check_sampler(self) -> "Optimize":
        for parameter in self.parameters:
            if self.sampler == "GridOptimizer" and math.isinf(parameter.size):
                raise ValueError(f"parameters: {parameter.name} needs a step, or type categorical, for GridOptimizer")
            if self.sampler == "NelderMeadOptimizer" and parameter.type == "categorical":
                raise ValueError(
                    f"parameters: {parameter.name} is categorical; expected only numbers for NelderMeadOptimizer; "
                    "remove it, or take TpeOptimizer, RandomOptimizer, SobolOptimizer or GridOptimizer"
                )
        return self

    @model_validator(mode="after")
    def _check_objectives(self) -> "Optimize":
        first, *costs = self.objectives
        names = ", ".join(self.objectives)
        if first != "val_accuracy" or "val_accuracy" in costs:
            raise ValueError(f"objectives is {names}; expected val_accuracy, then at most one cost")
        if costs and self.sampler == "NelderMeadOptimizer":
            raise ValueError(f"objectives is {names}; expected only val_accuracy for NelderMeadOptimizer")
        if costs and self.pruner != "none":
            raise ValueError(
                f"pruner is {self.pruner}; expected none with two objectives, because it would stop cheap networks"
            )
        return self


class Promote(Section):
    """Choice of the trials that go on to the final training."""

    top: Trials = Field(
        1,
        description="number of trials, in the order of val accuracy, whose networks are trained on all training data "
        "and tested",
    )


class Final(Section):
    """Training of the promoted networks on train and val together, and the test."""

    num_epochs: Epochs | None = Field(None, description="number of epochs; null: as many as in retraining")
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        description="number of final trainings of each promoted network, with seeds nas.seed, nas.seed + 1, ...; the "
        "first one is published, and best.json has mean and spread of the test accuracies",
    )
    baseline: bool = Field(
        False, description="also fit a logistic regression to the same images; for small data sets only"
    )

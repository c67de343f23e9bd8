"""The section `optimize`: the study over hyperparameters. Imported by the Snakefile: no torch here."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nasmake.config.base import Count, Section, parsed

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
]
OBJECTIVES = Literal["val_accuracy", "macs", "parameters", "latency_ms"]


class Parameter(Section):
    """One searched hyperparameter."""

    name: str = Field(description="a predecessor's name or the dotted path of a key")
    type: Literal["uniform_int", "uniform_float", "categorical"] = Field(description="kind of values")
    lower: float | None = Field(None, description="smallest value")
    upper: float | None = Field(None, description="largest value")
    step: Annotated[float, Field(gt=0)] | None = Field(
        None, description="distance of two values, counted from lower; null: 1 for uniform_int, any for uniform_float"
    )
    choices: list[Any] | None = Field(None, description="values of a categorical parameter")
    log: bool = Field(False, description="search on a logarithmic scale")
    initial: Any = Field(None, description="value in trial 0; a list: in the first trials; null: sampled there too")
    when: dict[str, Any] = Field(
        default_factory=dict, description="sampled only if each of these keys has this value, or one of this list"
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
    def _consistent(self) -> "Parameter":
        if self.type == "categorical":
            self._check_categorical()
        else:
            self._check_range()
            if self.initial is not None:
                self.initial = self._each(self._number)
        return self

    @property
    def first_values(self) -> list[Any]:
        """Values in the first trials."""
        if self.initial is None:
            return []
        is_list = isinstance(self.initial, list) and self.initial not in (self.choices or [])
        return self.initial if is_list else [self.initial]

    @property
    def size(self) -> float:
        """How many values there are; infinite without a step."""
        if self.type == "categorical":
            return len(self.choices or [])
        step = self._step
        return math.inf if step is None else math.floor(round((self._high - self._low) / step, 9)) + 1

    def value(self, index: int) -> Any:
        """The value of that index; there are `size` of them."""
        if self.type == "categorical":
            return (self.choices or [])[index]
        exact = Decimal(str(self._low)) + index * Decimal(str(self._step))
        return int(exact) if self.type == "uniform_int" else float(exact)

    def index(self, value: float) -> int:
        """Which value of the steps lies next to a number."""
        return round((value - self._low) / (self._step or 1.0))

    def at(self, coordinate: float) -> Any:
        """The value at a coordinate 0..1; equal lengths belong to all values of a linear scale."""
        if self.log:
            half = 0.5 if self.type == "uniform_int" else 0.0
            ends = math.log(self._low - half), math.log(self._high + half)
            number = min(max(math.exp(ends[0] + coordinate * (ends[1] - ends[0])), self._low), self._high)
            return round(number) if self.type == "uniform_int" else number
        if math.isinf(self.size):
            return min(self._low + coordinate * (self._high - self._low), self._high)
        return self.value(min(int(coordinate * self.size), int(self.size) - 1))

    def coordinate(self, value: float) -> float:
        """The coordinate 0..1 of a number: `at` leads back to it."""
        if self.log:
            half = 0.5 if self.type == "uniform_int" else 0.0
            low, high = math.log(self._low - half), math.log(self._high + half)
            return (math.log(value) - low) / (high - low or 1.0)
        if math.isinf(self.size):
            return (value - self._low) / (self._high - self._low)
        return (self.index(value) + 0.5) / self.size

    def snapped(self, value: Any) -> Any:
        """A value without what arithmetic with steps adds to its last digits."""
        return self.value(self.index(value)) if self.type == "uniform_float" and self._step else value

    @property
    def _low(self) -> float:
        assert self.lower is not None  # the parameter was checked
        return self.lower

    @property
    def _high(self) -> float:
        assert self.upper is not None  # the parameter was checked
        return self.upper

    @property
    def _step(self) -> float | None:
        if self.lower == self.upper:
            return self.step or 1.0
        return self.step or (1.0 if self.type == "uniform_int" else None)

    def _check_categorical(self) -> None:
        numeric = (self.lower, self.upper, self.step)
        if not self.choices or any(number is not None for number in numeric) or self.log:
            raise ValueError(f"{self.name}: categorical takes `choices` (not empty), and no lower, upper, step or log")
        for value in self.first_values:
            if value is not None and value not in self.choices:
                raise ValueError(f"{self.name}: initial {value!r} is not among the choices {self.choices}")

    def _check_range(self) -> None:
        if self.lower is None or self.upper is None or self.choices is not None:
            raise ValueError(f"{self.name}: {self.type} takes `lower` and `upper`, and no choices")
        if self.lower > self.upper:
            raise ValueError(f"{self.name}: lower {self.lower:g} is above upper {self.upper:g}; swap them")
        if self.log and self.lower <= 0:
            raise ValueError(f"{self.name}: a log scale needs lower above 0, found {self.lower:g}")
        if self.type == "uniform_int" and (self.lower % 1 or self.upper % 1):
            raise ValueError(
                f"{self.name}: bounds {self.lower:g} .. {self.upper:g} of uniform_int must be whole numbers"
            )
        if self.step is not None and self.log:
            raise ValueError(f"{self.name}: step {self.step:g} and log exclude each other; remove one")
        if self.step is not None and self.type == "uniform_int" and self.step % 1:
            raise ValueError(f"{self.name}: step {self.step:g} of uniform_int must be a whole number")

    def _each(self, convert: Any) -> Any:
        if not isinstance(self.initial, list):
            return convert(self.initial)
        return [None if value is None else convert(value) for value in self.initial]

    def _number(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: initial {value!r} is not a number") from None
        if self.type == "uniform_int" and number % 1:
            raise ValueError(f"{self.name}: initial {value!r} of uniform_int must be a whole number")
        if not self._low <= number <= self._high:
            raise ValueError(f"{self.name}: initial {number:g} is not in {self._low:g} .. {self._high:g}")
        if self.step is not None and not math.isclose(self.value(self.index(number)), number, abs_tol=1e-12):
            nearest = self.value(min(self.index(number), int(self.size) - 1))
            raise ValueError(f"{self.name}: initial {number:g} is no multiple of step {self.step:g}; type {nearest:g}")
        return int(number) if self.type == "uniform_int" else number


class Optimize(Section):
    """The study over hyperparameters."""

    search_algorithm: SEARCH_ALGORITHMS = Field(
        "aiaccel.optimizer.TpeOptimizer", description="sampler: Tpe, Random, Sobol, Grid or NelderMead"
    )
    goal: Literal["maximize"] = Field("maximize", description="direction of val accuracy; a cost is always minimized")
    objectives: Annotated[list[OBJECTIVES], Field(min_length=1, max_length=2)] = Field(
        ["val_accuracy"], description="val_accuracy, and a cost: macs, parameters or latency_ms; two make a front"
    )
    trial_number: Annotated[int, Field(ge=1, le=9999)] = Field(
        15, description="trials in all; raise it to extend a study"
    )
    rand_seed: Annotated[int, Field(ge=0)] = Field(42, description="seed of the sampler")
    lag: Count | None = Field(
        None,
        description="trial t knows results up to t-lag, so that lag trials can run at once; null: resource.num_node",
    )
    n_startup_trials: Count = Field(
        10, description="told trials before TPE leaves random sampling, and before the pruner stops a trial"
    )
    pruner: Literal["none", "median"] = Field(
        "none", description="median: stop a retraining below the median of the told trials at the same epoch"
    )
    n_warmup_epochs: Annotated[int, Field(ge=0)] = Field(
        5, description="epochs of a retraining after which the pruner begins to compare"
    )
    parameters: list[Parameter] = Field(default_factory=list, description="searched hyperparameters")

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Of the objectives, as Optuna names them."""
        return ["maximize"] if len(self.objectives) == 1 else ["maximize", "minimize"]

    @property
    def sampler(self) -> str:
        """The sampler's name without its package."""
        return self.search_algorithm.rsplit(".", 1)[-1]

    @model_validator(mode="before")
    @classmethod
    def _maximize(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("goal") == "minimize":
            raise ValueError(
                "goal: 'minimize' is not allowed; it would look for the lowest val accuracy, type maximize"
            )
        return values

    @model_validator(mode="after")
    def _sampler_can(self) -> "Optimize":
        if self.sampler == "GridOptimizer":
            self._refuse(
                [parameter for parameter in self.parameters if math.isinf(parameter.size)],
                "needs a step (or type categorical, with choices) for GridOptimizer",
            )
        if self.sampler == "NelderMeadOptimizer":
            self._refuse(
                [parameter for parameter in self.parameters if parameter.type == "categorical"],
                "is categorical, and NelderMeadOptimizer moves along numbers only; "
                "remove it, or take TpeOptimizer, RandomOptimizer, SobolOptimizer or GridOptimizer",
            )
        return self

    @model_validator(mode="after")
    def _objectives_fit(self) -> "Optimize":
        first, *costs = self.objectives
        if first != "val_accuracy" or "val_accuracy" in costs:
            raise ValueError(f"objectives: {self.objectives} must be val_accuracy, then at most one cost")
        if costs and self.sampler == "NelderMeadOptimizer":
            raise ValueError(
                "objectives: NelderMeadOptimizer takes val_accuracy alone; choose another search_algorithm"
            )
        if costs and self.pruner != "none":
            raise ValueError(
                f"pruner: {self.pruner}: would stop cheap networks of the front; set none, or one objective"
            )
        return self

    @staticmethod
    def _refuse(parameters: Sequence[Parameter], reason: str) -> None:
        if parameters:
            raise ValueError(f"parameters: {parameters[0].name} {reason}")


class Promote(Section):
    """Which trials go on."""

    top: Count = Field(
        1, description="trials, best val accuracy first, whose networks are trained on all data and tested"
    )


class Final(Section):
    """Training of promoted networks on train and val together, and the test."""

    num_epochs: Count | None = Field(None, description="epochs; null: as in retraining")
    baseline: bool = Field(False, description="also fit logistic regression on the same images (small sets)")

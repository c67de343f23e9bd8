"""The section `optimize`: the study over hyperparameters. Imported by the Snakefile: no torch here."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nasmake.sections import Count, Section, parsed

SEARCH_ALGORITHMS = Literal[
    "aiaccel.optimizer.TpeOptimizer", "aiaccel.optimizer.RandomOptimizer", "TpeOptimizer", "RandomOptimizer"
]


class Parameter(Section):
    """One searched hyperparameter."""

    name: str = Field(description="a predecessor's name or the dotted path of a key")
    type: Literal["uniform_int", "uniform_float", "categorical"] = Field(description="kind of values")
    lower: float | None = Field(None, description="smallest value")
    upper: float | None = Field(None, description="largest value")
    choices: list[Any] | None = Field(None, description="values of a categorical parameter")
    log: bool = Field(False, description="search on a logarithmic scale")
    initial: Any = Field(None, description="value in trial 0; null: sampled there too")

    @field_validator("choices", mode="after")
    @classmethod
    def _choices_from_text(cls, choices: list[Any] | None) -> list[Any] | None:
        return choices and [parsed(choice) if isinstance(choice, str) else choice for choice in choices]

    @model_validator(mode="after")
    def _bounds(self) -> "Parameter":
        if self.type == "categorical":
            if not self.choices or self.lower is not None or self.upper is not None or self.log:
                raise ValueError(f"{self.name}: categorical takes `choices` (not empty), and no lower, upper or log")
            if self.initial is not None and self.initial not in self.choices:
                raise ValueError(f"{self.name}: initial {self.initial!r} is not among the choices {self.choices}")
            return self
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
        if self.initial is not None:
            self.initial = self._number(self.initial)
            if not self.lower <= self.initial <= self.upper:
                raise ValueError(f"{self.name}: initial {self.initial:g} is not in {self.lower:g} .. {self.upper:g}")
        return self

    def _number(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: initial {value!r} is not a number") from None
        if self.type == "uniform_int" and number % 1:
            raise ValueError(f"{self.name}: initial {value!r} of uniform_int must be a whole number")
        return int(number) if self.type == "uniform_int" else number


class Optimize(Section):
    """The study over hyperparameters."""

    search_algorithm: SEARCH_ALGORITHMS = Field(
        "aiaccel.optimizer.TpeOptimizer", description="sampler of hyperparameters"
    )
    goal: Literal["maximize"] = Field("maximize", description="direction of the objective, val accuracy")
    trial_number: Annotated[int, Field(ge=1, le=9999)] = Field(
        15, description="trials in all; raise it to extend a study"
    )
    rand_seed: Annotated[int, Field(ge=0)] = Field(42, description="seed of the sampler")
    lag: Count = Field(4, description="trial t knows results up to t-lag; about 1.5 x the trials that run at once")
    n_startup_trials: Count = Field(10, description="told trials before TPE leaves random sampling")
    parameters: list[Parameter] = Field(default_factory=list, description="searched hyperparameters")

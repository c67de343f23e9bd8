"""The whole configuration: all sections, their defaults, and errors of one line.

Imported by the Snakefile: no torch here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from nasmake.config.aiaccel import in_sections, path_of
from nasmake.config.base import Name, Section
from nasmake.config.dataset import Dataset
from nasmake.config.environment import Abci, Environment, Resource
from nasmake.config.evidence import Evidence
from nasmake.config.latency import Latency
from nasmake.config.nas import Nas
from nasmake.config.retrain import Retrain
from nasmake.config.search import Search
from nasmake.config.study import Final, Optimize, Promote
from nasmake.config.supernet import Supernet
from nasmake.config.trainer import Trainer
from nasmake.core.errors import InputError, one_line


class Config(Section):
    """The whole configuration."""

    run: Name | None = Field(
        None, description="folder of the results; null: <search_space>_<dataset>, or <architecture>_<dataset>"
    )
    dataset: Dataset = Field(default_factory=Dataset, description="data set and split")
    environment: Environment = Field(default_factory=Environment, description="machine")
    nas: Nas = Field(default_factory=Nas, description="search as a whole")
    supernet: Supernet = Field(default_factory=Supernet, description="supernet training")
    search: Search = Field(default_factory=Search, description="architecture search")
    latency: Latency = Field(default_factory=Latency, description="measured latency")
    retrain: Retrain = Field(default_factory=Retrain, description="retraining from scratch")
    trainer: Trainer = Field(default_factory=Trainer, description="lightning.Trainer")
    optimize: Optimize = Field(default_factory=Optimize, description="study over hyperparameters")
    promote: Promote = Field(default_factory=Promote, description="trials that are trained on all data")
    final: Final = Field(default_factory=Final, description="final retraining and test")
    evidence: Evidence = Field(default_factory=Evidence, description="does the search work: snakemake evidence")
    resource: Resource = Field(default_factory=Resource, description="predecessor's scheduler keys")
    ABCI: Abci = Field(default_factory=Abci, description="ABCI")
    generic: dict[str, Any] = Field(default_factory=dict, description="predecessor's job keys: no effect")

    @model_validator(mode="after")
    def _resolved(self) -> "Config":
        if self.run is None:
            self.run = f"{self.nas.architecture_name or self.nas.search_space}_{self.dataset.name}"
        alternating = self.nas.type == "simultaneous"
        of_asng = {"search.alpha", "search.epsilon"} & {path_of(own.name) for own in self.optimize.parameters}
        self.search.algorithm = self.search.algorithm or ("asng" if alternating or of_asng else "evolution")
        self.supernet.sampler = self.supernet.sampler or ("asng" if alternating else "uniform")
        lengths = (self.nas.num_epochs_retrain, self.retrain.hyperparameters.num_epochs, self.retrain.num_epochs)
        self.nas.num_epochs_retrain = next((n for n in lengths if n is not None), 60)
        self.optimize.lag = self.optimize.lag or self.resource.num_node
        if self.trainer.accelerator == "mps" and self.environment.gpus > 1:
            raise ValueError(f"environment.gpus: {self.environment.gpus}: a Mac has one GPU; set 1")
        if not self.optimize.parameters and self.optimize.trial_number > 1:
            raise ValueError(
                "optimize.parameters: nothing is searched, so all trials are equal; set optimize.trial_number: 1"
            )
        return self


def load(raw: Mapping[str, Any]) -> Config:
    """Check a configuration and fill in its defaults.

    Raises:
        InputError: one line with the key's path, its value, what is allowed and the nearest valid key.
    """
    try:
        return Config.model_validate(in_sections(raw))
    except ValidationError as error:
        raise InputError(f"config: {one_line(error, Config)}") from None


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Dotted paths of all keys that hold values."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

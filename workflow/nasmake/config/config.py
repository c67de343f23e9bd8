"""The model of the whole configuration, and the function that loads one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from nasmake.config.aiaccel import in_sections, path_of
from nasmake.config.base import Name, Section
from nasmake.config.baselines import Baselines
from nasmake.config.dataset import Dataset
from nasmake.config.environment import Abci, Environment, Resource
from nasmake.config.evidence import Evidence
from nasmake.config.latency import Latency
from nasmake.config.nas import Nas
from nasmake.config.retrain import Retrain
from nasmake.config.search import Search
from nasmake.config.study import Final, Optimize, Promote
from nasmake.config.supernet import Supernet
from nasmake.config.tabulate import Tabulate
from nasmake.config.trainer import Trainer
from nasmake.core.errors import InputError, one_line, shown


class Config(Section):
    """The whole configuration."""

    # After validation, these keys are not None: run, dataset.crop_padding, dataset.flip, search.algorithm,
    # supernet.sampler, nas.num_epochs_retrain and optimize.lag.

    run: Name | None = Field(
        None,
        description="name of the folder in environment.result_dir that holds this run; null: <search_space>_<dataset>, "
        "or <architecture>_<dataset> with nas.architecture",
    )
    dataset: Dataset = Field(default_factory=Dataset, description="the data set and its split")
    environment: Environment = Field(default_factory=Environment, description="the machine that runs the jobs")
    nas: Nas = Field(default_factory=Nas, description="the search as a whole: search space, seed, epochs and stages")
    supernet: Supernet = Field(default_factory=Supernet, description="training of the supernet")
    search: Search = Field(default_factory=Search, description="architecture search")
    latency: Latency = Field(default_factory=Latency, description="measurement of the latency table")
    retrain: Retrain = Field(default_factory=Retrain, description="training of the best network from scratch")
    trainer: Trainer = Field(default_factory=Trainer, description="options of Lightning's Trainer")
    optimize: Optimize = Field(default_factory=Optimize, description="hyperparameter optimisation (HPO) over trials")
    promote: Promote = Field(
        default_factory=Promote, description="choice of the trials whose networks are trained on all training data"
    )
    final: Final = Field(default_factory=Final, description="final training and test of the promoted networks")
    evidence: Evidence = Field(
        default_factory=Evidence,
        description="experiments of `make evidence` that measure how well the search works",
    )
    tabulate: Tabulate = Field(
        default_factory=Tabulate, description="the table of trained networks that `make tabulate` makes"
    )
    baselines: Baselines = Field(
        default_factory=Baselines,
        description="the networks with which `make baselines` compares what a search finds",
    )
    resource: Resource = Field(default_factory=Resource, description="aiaccel's scheduler keys; profiles replace them")
    ABCI: Abci = Field(default_factory=Abci, description="the ABCI cluster")
    generic: dict[str, Any] = Field(default_factory=dict, description="aiaccel's job keys; they have no effect")

    @model_validator(mode="after")
    def _resolve(self) -> "Config":
        if self.run is None:
            self.run = f"{self.nas.architecture_name or self.nas.search_space}_{self.dataset.name}"
        simultaneous = self.nas.type == "simultaneous"
        searched = {path_of(parameter.name) for parameter in self.optimize.parameters}
        asng = simultaneous or not searched.isdisjoint({"search.alpha", "search.epsilon"})
        self.search.algorithm = self.search.algorithm or ("asng" if asng else "evolution")
        self.supernet.sampler = self.supernet.sampler or ("asng" if simultaneous else "uniform")
        lengths = (self.nas.num_epochs_retrain, self.retrain.hyperparameters.num_epochs, self.retrain.num_epochs, 60)
        self.nas.num_epochs_retrain = next(epochs for epochs in lengths if epochs is not None)
        self.optimize.lag = self.optimize.lag or self.resource.num_node
        if self.trainer.accelerator == "mps" and self.environment.gpus > 1:
            raise ValueError(f"environment.gpus is {self.environment.gpus}; expected 1, because a Mac has one GPU")
        if not self.optimize.parameters and self.optimize.trial_number > 1:
            raise ValueError(
                f"optimize.trial_number is {self.optimize.trial_number}; expected 1, because optimize.parameters is "
                "empty and all trials would be equal"
            )
        return self

    @property
    def run_folder(self) -> Path:
        """The folder of this run, `<environment.result_dir>/<run>`."""
        return Path(self.environment.result_dir, f"{self.run}")


def load(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration and fill in the defaults.

    Args:
        raw: the content of configuration files. Keys of aiaccel's files are allowed.

    Raises:
        InputError: a key is unknown or its value is not allowed. The line names the key, its value and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"content is {shown(raw)}; expected a mapping of keys to values", "config")
    try:
        return Config.model_validate(in_sections(raw))
    except RecursionError:
        raise InputError("nested too deep; expected the sections of a configuration", "config") from None
    except ValidationError as error:
        raise InputError(one_line(error, Config), "config") from None


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all keys that are not sections.

    Args:
        model: the model whose keys are wanted.
        prefix: text in front of each path, such as "supernet.".
    """
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

"""Section `nas`: the search as a whole."""

import re
from pathlib import PurePath
from typing import Literal

from pydantic import Field

from nasmake.config.base import Epochs, FilePath, Name, Section, Seed


class Nas(Section):
    """The search as a whole: search space, seed, epochs, and stages to skip."""

    search_space: Name = Field(
        "proxyless", description="first part of the search space's file name, config_<search_space>_<dataset>.yaml"
    )
    search_space_config_path: FilePath = Field(
        "config/search_spaces", description="folder that holds the file of the search space"
    )
    supernet: FilePath | None = Field(
        None, description="supernet.safetensors of another run, which replaces supernet training; null: train one"
    )
    architecture: FilePath | None = Field(
        None, description="name in config/architectures, or file, of a network that replaces the search; null: search"
    )
    operations: FilePath | None = Field(
        None,
        description="Python file with operations of your own, which the space file may list in conv_ops; jobs run its "
        "code; null: none",
    )
    seed: Seed = Field(42, description="seed of every stage")
    type: Literal["separate", "simultaneous"] = Field(
        "separate",
        description="separate: search after supernet training; simultaneous: one stage alternates steps of both",
    )
    num_epochs_supernet_train: Epochs = Field(
        60, description="number of epochs of supernet training; with type simultaneous, of the joint stage"
    )
    num_epochs_architecture_search: Epochs = Field(
        20, description="number of epochs of a separate search; an epoch evaluates search.population_size candidates"
    )
    num_epochs_retrain: Epochs | None = Field(
        60,
        description="number of epochs of retraining; null: retrain.hyperparameters.num_epochs, or else "
        "retrain.num_epochs, or else 60",
    )
    skip_train: bool = Field(
        False, description="skip supernet training; requires nas.supernet, which has the same effect without this key"
    )
    skip_architecture_search: bool = Field(
        False,
        description="skip supernet training and search; requires nas.architecture, which has the same effect without "
        "this key",
    )
    skip_retrain: bool = Field(
        False,
        description="skip the retraining of the trials; a trial's objective is then the val accuracy of its network "
        "with weights of the supernet, and promoted networks are still trained and tested",
    )

    @property
    def architecture_name(self) -> str | None:
        """The name of `architecture` with characters that suit the name of a folder; None without `architecture`."""
        name = self.architecture and PurePath(self.architecture).name.removesuffix(".json")
        return name and re.sub(r"[^A-Za-z0-9_.-]|^[.-]", "_", name)

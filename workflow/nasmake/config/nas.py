"""Section `nas`: the search as a whole."""

import re
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field

from nasmake.config.base import Count, FilePath, Name, Section


class Nas(Section):
    """The search as a whole."""

    search_space: Name = Field(
        "proxyless", description="first part of the space file's name, config_<this>_<data>.yaml"
    )
    search_space_config_path: FilePath = Field(
        "config/search_spaces", description="folder where the space file is looked up"
    )
    supernet: FilePath | None = Field(
        None, description="supernet that is taken instead of training one: a supernet.safetensors of another run"
    )
    architecture: FilePath | None = Field(
        None, description="network that is taken instead of searching one: a name in config/architectures, or a file"
    )
    seed: Annotated[int, Field(ge=0)] = Field(42, description="seed of every stage")
    type: Literal["separate", "simultaneous"] = Field(
        "separate", description="search after supernet training, or simultaneous: steps of both in turn, in one stage"
    )
    num_epochs_supernet_train: Count = Field(60, description="epochs of supernet training; simultaneous: of both")
    num_epochs_architecture_search: Count = Field(
        20, description="separate: epochs of search.population_size evaluations"
    )
    num_epochs_retrain: Count | None = Field(60, description="epochs of retraining from scratch; wins over the others")
    skip_train: bool = Field(False, description="leave supernet training out: needs supernet, which alone is enough")
    skip_architecture_search: bool = Field(
        False, description="leave supernet training and search out: needs architecture, which alone is enough"
    )
    skip_retrain: bool = Field(
        False,
        description="leave the retraining of the trials out: their objective is the val accuracy of the found network "
        "with inherited weights; promoted networks are trained and tested as always",
    )

    @property
    def architecture_name(self) -> str | None:
        """The name of `architecture`, as a folder can have it."""
        file = self.architecture and PurePath(self.architecture).name.removesuffix(".json")
        return file and re.sub(r"[^A-Za-z0-9_.-]|^[.-]", "_", file)

"""Section `evidence`: the experiments of `make evidence`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasmake.config.base import Section, Seed

Seeds = Annotated[list[Seed], Field(min_length=2, max_length=1000)]


class Evidence(Section):
    """The size of the experiments; config/presets/evidence.yaml sets the other sections for them."""

    seeds: Seeds = Field(
        default_factory=lambda: [1, 2, 3, 4, 5],
        description="seeds of the repetitions; each repetition trains a supernet and searches it",
    )
    networks: Annotated[int, Field(ge=6, le=10_000)] = Field(
        27, description="number of networks of the search space whose ranking is compared with training from scratch"
    )
    retrain_seeds: Seeds = Field(
        default_factory=lambda: [101, 102, 103], description="seeds with which every network is trained from scratch"
    )
    min_macs: Annotated[int, Field(ge=0, le=10**15)] = Field(
        0, description="fewest multiply-adds of a compared network; search.constraint.macs is the most"
    )
    random_networks: Annotated[int, Field(ge=2, le=10_000)] = Field(
        4, description="number of random networks between these limits that are trained for each seed"
    )
    easy_dataset: Literal["digits", "digits_canvas"] = Field(
        "digits", description="data set on which the effect of BatchNorm recalibration is measured"
    )

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        for name, seeds in (("seeds", self.seeds), ("retrain_seeds", self.retrain_seeds)):
            if len(set(seeds)) < len(seeds):
                raise ValueError(f"{name} is {seeds}; expected different numbers, because each counts as a repetition")
        return self

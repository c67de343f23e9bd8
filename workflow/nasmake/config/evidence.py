"""Section `evidence` of the configuration. Imported by the Snakefile: no torch here."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasmake.config.base import Section

Seeds = Annotated[list[int], Field(min_length=2)]


class Evidence(Section):
    """What `snakemake evidence` measures, besides the sections above: config/presets/evidence.yaml."""

    seeds: Seeds = Field(default_factory=lambda: [1, 2, 3, 4, 5], description="each trains a supernet and searches it")
    networks: Annotated[int, Field(ge=6)] = Field(27, description="networks over the whole space whose ranking counts")
    retrain_seeds: Seeds = Field(
        default_factory=lambda: [101, 102, 103], description="each trains every network from scratch"
    )
    min_macs: Annotated[int, Field(ge=0)] = Field(
        0, description="lower end of the cost window; its upper one: search.constraint.macs"
    )
    random_networks: Annotated[int, Field(ge=2)] = Field(
        4, description="random networks of the window that are trained for each seed"
    )
    easy_dataset: Literal["digits", "digits_canvas"] = Field(
        "digits", description="data set on which recalibration is judged"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for name, seeds in (("seeds", self.seeds), ("retrain_seeds", self.retrain_seeds)):
            if len(set(seeds)) < len(seeds):
                raise ValueError(f"{name}: {seeds}: must be different numbers, for each counts as a repetition")
        return self

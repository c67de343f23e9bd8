"""Section `baselines`: the networks with which `make baselines` compares what a search finds."""

from typing import Annotated

from pydantic import Field

from nasmake.config.base import Changes, Fraction, Section, Seeds, name_beside

FOUND = "found"  # the networks that searches find
LINEAR = "logistic_regression"  # the linear model
Baseline = Annotated[str, name_beside(FOUND, LINEAR)]


class Baselines(Section):
    """The networks beside the found ones; the other sections say how all of them are searched and trained."""

    seeds: Annotated[Seeds, Field(min_length=2)] = Field(
        default_factory=lambda: [1, 2, 3],
        description="values of nas.seed: each has a search of its own, and every network is trained with each",
    )
    networks: Annotated[dict[Baseline, Changes], Field(max_length=100)] = Field(
        {"random": {}},
        description="names, and the keys that differ: nas.architecture, which without it is a random network with the "
        "MACs of the found one, and keys of the final training, such as final.num_epochs",
    )
    macs_band: Fraction = Field(
        0.05, description="the MACs of a random network differ by at most this share from those of the found one"
    )

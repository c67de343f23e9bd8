"""Section `tabulate`: the table of trained networks that `make tabulate` makes."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nasmake.config.base import Section, Seeds, parsed

MOST_NETWORKS = 10_000


def _check_networks(value: Any) -> Any:
    value = parsed(value) if isinstance(value, str) else value  # --config gives numbers as text
    if value == "all" or (type(value) is int and 1 <= value <= MOST_NETWORKS):
        return value
    raise ValueError(f"expected all, or a whole number from 1 to {MOST_NETWORKS}")


Networks = Annotated[Literal["all"] | Annotated[int, Field(ge=1, le=MOST_NETWORKS)], BeforeValidator(_check_networks)]


class Tabulate(Section):
    """Which networks of the search space are trained, and how often; section `retrain` says how."""

    networks: Networks = Field(
        "all",
        description="all: every network of the search space; a number: so many different ones, drawn with nas.seed",
    )
    seeds: Annotated[Seeds, Field(min_length=1)] = Field(
        default_factory=lambda: [101, 102, 103],
        description="seeds with which every network is trained from scratch; each takes the place of nas.seed",
    )
    networks_per_job: Annotated[int, Field(ge=1, le=MOST_NETWORKS)] = Field(
        16, description="number of networks that one job trains, one after the other; it changes no result"
    )

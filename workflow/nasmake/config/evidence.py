"""Section `evidence`: the experiments of `make evidence`."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from nasmake.config.base import Changes, Count, FilePath, Fraction, Section, Seeds, name_beside

SUPERNET = "supernet"  # the supernet with the settings of the preset


Variant = Annotated[str, name_beside(SUPERNET, "gates", "simultaneous")]


class Evidence(Section):
    """The size of the experiments; config/presets/evidence.yaml sets the other sections for them."""

    table: FilePath | None = Field(
        None, description="benchmark_table.csv by which rankings and searches are judged; `make tabulate` makes one"
    )
    seeds: Annotated[Seeds, Field(min_length=2)] = Field(
        default_factory=lambda: [1, 2, 3, 4, 5], description="seeds of the supernets"
    )
    variants: Annotated[dict[Variant, Changes], Field(max_length=100)] = Field(
        default_factory=dict,
        description="further supernets: names, and the keys that differ, such as {fair: {supernet.sampler: fair}}",
    )
    variant_seeds: Annotated[int, Field(ge=2, le=1000)] = Field(
        3, description="number of seeds of each variant, and of methods that train: the first ones of evidence.seeds"
    )
    search_seeds: Annotated[int, Field(ge=2, le=100_000)] = Field(
        200, description="number of searches of every strategy with the scores of each supernet"
    )
    budgets: Annotated[list[Count], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: [10, 20, 40, 80],
        description="numbers of different networks after which the best one of a search is judged",
    )
    macs_band: Fraction = Field(
        0.1, description="searches are repeated among networks whose MACs differ by at most this share from the median"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.variant_seeds > len(self.seeds):
            raise ValueError(f"variant_seeds is {self.variant_seeds}; expected at most {len(self.seeds)}, the seeds")
        if self.budgets != sorted(set(self.budgets)):
            raise ValueError(f"budgets is {self.budgets}; expected different numbers, the smallest first")
        return self

    def supernets(self) -> dict[str, Mapping[str, Any]]:
        """Return the changed keys of every kind of supernet by its name, first that of the preset."""
        return {SUPERNET: {}} | dict(self.variants)

    def seeds_of(self, kind: str) -> list[int]:
        """Return the seeds of one kind of supernet, or of a method that trains."""
        return self.seeds if kind == SUPERNET else self.seeds[: self.variant_seeds]

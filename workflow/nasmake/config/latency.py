"""Section `latency`: how the latency table is measured."""

from typing import Annotated

from pydantic import Field

from nasmake.config.base import Count, FilePath, Section


class Latency(Section):
    """The latency table, which a limit or an objective on the latency requires."""

    table: FilePath | None = Field(
        None, description="file of an earlier measurement on this or another machine; null: measured when needed"
    )
    batch_size: Count = Field(1, description="number of images in a timed forward pass")
    runs: Annotated[int, Field(ge=50, le=1_000_000)] = Field(
        50, description="number of timed passes of each profiled unit; the table holds their median"
    )
    warmup: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        3, description="number of untimed passes before every ten timed passes"
    )

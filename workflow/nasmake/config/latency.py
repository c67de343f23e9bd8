"""Section `latency`: how a latency table is measured."""

from typing import Annotated

from pydantic import Field

from nasmake.config.base import Count, FilePath, Section


class Latency(Section):
    """The table of latencies that a limit on latency needs."""

    table: FilePath | None = Field(
        None, description="file of an earlier measurement, here or on another machine; null: measured when needed"
    )
    batch_size: Count = Field(1, description="images of a timed forward pass")
    runs: Annotated[int, Field(ge=50)] = Field(50, description="timed passes of each piece; the median counts")
    warmup: Annotated[int, Field(ge=1)] = Field(3, description="untimed passes before every ten timed ones")

"""Section `trainer`: what goes to Lightning's trainer."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from nasmake.config.base import Count, Section
from nasmake.core.errors import nearest


class Trainer(Section):
    """What goes to lightning.Trainer, and the number of threads."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="auto: CUDA, else MPS, else CPU; checked when a job starts"
    )
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = Field(
        "auto", description="all the same: environment.gpus processes, each with its part of every batch"
    )
    precision: Literal["32-true", "bf16-mixed"] = Field("32-true", description="arithmetic of the training steps")
    num_threads: Count = Field(1, description="CPU threads of a job; part of the result: another number, other bits")
    enable_progress_bar: bool = Field(False, description="Lightning's bar, where the output is a terminal")
    enable_model_summary: bool = Field(False, description="Lightning's table of modules at the start of a stage")
    logger: bool = Field(
        False,
        description="event files of TensorBoard, where it is installed, in <unit>/tensorboard; histories stay",
    )

    @model_validator(mode="before")
    @classmethod
    def _ours_to_decide(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name in set(values) - set(cls.model_fields):
            hint = nearest(str(name), cls.model_fields)
            raise ValueError(f"{name}: unknown key; {hint} (other arguments of lightning.Trainer are not for choice)")
        strategy = str(values.get("strategy"))
        if strategy not in get_args(cls.model_fields["strategy"].annotation) and strategy.startswith("ddp"):
            raise ValueError(
                f"strategy: {strategy!r} is not allowed: its processes are no copies of one command, so a stage could "
                "not resume exactly; allowed: auto, ddp, ddp_find_unused_parameters_true"
            )
        return values

"""Section `trainer`: options of Lightning's Trainer, and the number of CPU threads."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from nasmake.config.base import Section
from nasmake.core.errors import nearest

ELSEWHERE = {  # options of lightning.Trainer that are other keys here
    "devices": "expected environment.gpus, the number of GPUs of a job",
    "max_epochs": "expected nas.num_epochs_supernet_train, num_epochs_architecture_search and num_epochs_retrain",
    "num_nodes": "expected a profile of a cluster; a job runs on one node",
}


class Trainer(Section):
    """Options of lightning.Trainer that a user may choose, and the number of CPU threads."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto",
        description="kind of device; auto: CUDA if available, then MPS, then the CPU; checked when a job starts, not "
        "before",
    )
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = Field(
        "auto",
        description="all values have the same effect: environment.gpus processes, each with its part of every batch",
    )
    precision: Literal["32-true", "bf16-mixed"] = Field("32-true", description="number format of the training steps")
    num_threads: Annotated[int, Field(ge=1, le=4096)] = Field(
        1, description="number of CPU threads of a job; another number changes the last digits of the results"
    )
    enable_progress_bar: bool = Field(False, description="show Lightning's progress bar if the output is a terminal")
    enable_model_summary: bool = Field(False, description="print Lightning's table of modules at the start of a stage")
    logger: bool = Field(
        False,
        description="also write event files to <unit>/tensorboard; requires TensorBoard; history files are always "
        "written",
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_options(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name in set(values) - set(cls.model_fields):
            hint = ELSEWHERE.get(name) or nearest(str(name), cls.model_fields)
            raise ValueError(f"{name}: unknown key; {hint} (nasmake sets the other options of lightning.Trainer)")
        allowed = get_args(cls.model_fields["strategy"].annotation)
        strategy = str(values.get("strategy"))
        if strategy.startswith("ddp") and strategy not in allowed:
            raise ValueError(f"strategy is {strategy}; expected {', '.join(allowed)}; others could not resume exactly")
        return values

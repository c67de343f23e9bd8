"""Sections `environment`, `resource` and `ABCI`: the machine and the cluster."""

from typing import Annotated

from pydantic import Field, model_validator

from nasmake.config.base import Count, FilePath, Section

NO_GROUP = "[group]"  # the predecessor's placeholder


class Environment(Section):
    """The machine."""

    result_dir: FilePath = Field("results", description="folder of the results; a run has its own folder in it")
    gpus: Annotated[int, Field(ge=0)] = Field(
        1, description="GPUs of a training job, a process for each; above 1 so many processes on the CPU too"
    )
    device_ids: list[int] | None = Field(
        None, description="GPUs to choose from, as many as gpus or more, by their numbers on the node; null: all"
    )
    num_workers: Annotated[int, Field(ge=0)] = Field(
        0, description="loader processes of a job, for imagenet; the other sets are held in memory"
    )

    @model_validator(mode="after")
    def _enough_devices(self) -> "Environment":
        if self.device_ids is not None and len(set(self.device_ids)) < self.gpus:
            raise ValueError(
                f"device_ids: {self.device_ids} are fewer than environment.gpus: {self.gpus}; name as many, or null"
            )
        return self


class Resource(Section):
    """The predecessor's scheduler keys; profiles have taken their place."""

    type: str = Field("local", description="no effect: choose a profile")
    num_node: Count = Field(4, description="trials that can run at once: what optimize.lag is, where that is null")


class Abci(Section):
    """ABCI."""

    group: str = Field(NO_GROUP, description="group that pays (qsub -P); ABCI_GROUP in the environment wins")
    job_script_preamble: FilePath | None = Field(
        None, description="file whose commands (module load, ...) begin every job on a cluster"
    )
    job_execution_options: str = Field("", description="no effect in this version")

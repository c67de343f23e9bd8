"""Sections `environment`, `resource` and `ABCI`: the machine and the cluster."""

from typing import Annotated

from pydantic import Field, model_validator

from nasmake.config.base import FilePath, Section

NO_GROUP = "[group]"  # the placeholder in aiaccel's files


class Environment(Section):
    """The machine that runs the jobs."""

    result_dir: FilePath = Field("results", description="folder of the results; each run has its own folder in it")
    gpus: Annotated[int, Field(ge=0, le=1024)] = Field(
        1,
        description="number of GPUs of a training job; the job runs one process per GPU; a number above 1 also sets "
        "the number of processes on a CPU",
    )
    device_ids: list[Annotated[int, Field(ge=0, le=1023)]] | None = Field(
        None, description="numbers of the node's GPUs that jobs may use, at least as many as gpus; null: all GPUs"
    )
    jobs_per_gpu: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="number of jobs that may share a GPU of this machine, if gpus is 1; they share its memory too"
    )
    num_workers: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="number of processes that load images for a job of imagenet; other data sets are held in memory"
    )
    seconds_between_saves: Annotated[int, Field(ge=0, le=86400)] = Field(
        20,
        description="seconds after a save in which the end of an epoch saves no training state; a killed job repeats "
        "at most these and the epoch that was under way; 0: every epoch is saved; signals save at once in any case",
    )
    first_walltime: Annotated[int, Field(ge=1, le=10080)] | None = Field(
        None,
        description="minutes that the first attempt of a training or search requests from a cluster; each retry "
        "requests as much again; null: from the measured times of this run's epochs, or else 120",
    )

    @model_validator(mode="after")
    def _check_devices(self) -> "Environment":
        if self.device_ids is not None and len(set(self.device_ids)) < self.gpus:
            raise ValueError(
                f"device_ids is {self.device_ids}; expected at least {self.gpus} numbers (environment.gpus), or null"
            )
        if self.jobs_per_gpu > 1 and self.gpus > 1:
            raise ValueError(
                f"jobs_per_gpu is {self.jobs_per_gpu}; expected 1, because a job on several GPUs "
                f"(environment.gpus: {self.gpus}) shares none"
            )
        return self


class Resource(Section):
    """aiaccel's scheduler keys, which profiles replace."""

    type: str = Field("local", description="no effect; choose a profile instead")
    num_node: Annotated[int, Field(ge=1, le=9999)] = Field(
        4, description="number of trials that may run at once, if optimize.lag is null"
    )


class Abci(Section):
    """The ABCI cluster."""

    group: str = Field(
        NO_GROUP, description="group that pays for the jobs (qsub -P); the environment variable ABCI_GROUP has priority"
    )
    job_script_preamble: FilePath | None = Field(
        None, description="file with shell commands, such as module load, that run at the start of every cluster job"
    )
    job_execution_options: str = Field("", description="no effect in this version")

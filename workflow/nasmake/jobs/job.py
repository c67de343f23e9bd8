"""The part that all scripts of stages share: the command line, the settings of the job, and its fingerprint.

This module loads no torch, so that wrong arguments end a job at once. It imports core, config, search_spaces, pipeline
and other modules of this room.
"""

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nasmake.config import Config, load
from nasmake.core.declared import restrict
from nasmake.core.errors import InputError, shown
from nasmake.core.files import digest_of, fingerprint, read_json
from nasmake.core.json_text import parse_json
from nasmake.core.nested import value_at
from nasmake.core.process import is_rank
from nasmake.core.provenance import provenance
from nasmake.core.records import read_suggestion
from nasmake.data.pointer import read_pointer
from nasmake.jobs.gpu_leases import lease_devices
from nasmake.jobs.launch import launch
from nasmake.pipeline.rule_functions import RETRIES
from nasmake.pipeline.searched import space_of_trial
from nasmake.pipeline.stages import OPTIONAL_KEYS, SEARCH_CLASSES, STAGES, with_parameters
from nasmake.search_spaces import SearchSpace


@dataclass(frozen=True)
class Job:
    """One run of one stage.

    Attributes:
        stage: name of the stage.
        received: the settings that the stage received, as nested mappings, with the hyperparameters of the trial.
        search_space: name and content of the space file; None in a stage that needs none.
        version: version of the stage, see `nasmake.pipeline.stages`.
        dataset: folder of the prepared data set.
        inputs: artefacts of earlier stages, by name.
        trial: number of the trial; None in a shared stage.
        unit: folder of the results.
        accelerator: auto, cpu, gpu or mps.
        display: `lines`, or `bar`, `summary` and `tensorboard` joined by `+`.
        prune_below: val accuracy below which a retraining stops, by epoch; None without a pruner.
        processes: number of processes that share the work. Each one normalises its share of a batch, so the
            number changes the bytes of the result.
        operations: what the plan knows of the file nas.operations, for a stage that reads an architecture; else None.
        repeat: number of the final training of a trial, from 0, by which nas.seed is raised.
        is_last_attempt: Snakemake does not try the stage again after this process.
        started: time in seconds since the epoch.
    """

    stage: str
    received: Mapping[str, Any]
    search_space: Mapping[str, Any] | None
    version: int
    dataset: Path
    inputs: Mapping[str, Path]
    trial: int | None
    unit: Path
    accelerator: str
    display: str
    prune_below: Sequence[float | None] | None = None
    processes: int = 1
    operations: Mapping[str, Any] | None = None
    repeat: int = 0
    is_last_attempt: bool = False
    started: float = field(default_factory=time.time)

    @cached_property
    def settings(self) -> Config:
        """The settings that the stage received. Reading another key raises UndeclaredKeyError.

        Raises:
            InputError: a setting has a wrong name or value.
        """
        config = load({**self.received, "optimize": {"trial_number": 1}})
        return restrict(config, {*_received_keys(self.received, Config), *OPTIONAL_KEYS}, f"stage {self.stage}")

    @property
    def num_search_classes(self) -> int | None:
        """dataset.num_search_classes for the stages that receive it. The others train on all classes: None."""
        count: int | None = value_at(self.received, SEARCH_CLASSES, None)
        return count

    def fingerprint(self, device: str) -> str:
        """Return a hash of everything that decides the bytes of the result. A training state fits one fingerprint only.

        Args:
            device: type of the device, such as `cuda`.
        """
        data = read_json(self.dataset / "manifest.json")["sha256"]
        inputs = digest_of(sorted(self.inputs.values()))
        parts = (self.prune_below, {"processes": self.processes}, self.operations)
        optional = [part for part in parts if part is not None]
        return fingerprint(self.stage, self.version, self.received, self.search_space, data, inputs, device, *optional)

    def space(self) -> SearchSpace:
        """Return the search space that the stage received."""
        assert self.search_space is not None, f"{self.stage} receives no search space"
        return SearchSpace.from_settings(self.search_space)

    def history(self, name: str) -> Path:
        """Return the path of a history file in the folder of the unit."""
        return self.unit / "history" / f"{name}.csv"

    def provenance(self, device: str | None) -> dict[str, Any]:
        """Return the provenance block of this job's artefacts, with the CPU time of this process and its children."""
        user, system, children_user, children_system, _ = os.times()
        cpu_seconds = round(user + system + children_user + children_system, 3)
        facts = {"stage": self.stage, "processes": self.processes, "cpu_seconds": cpu_seconds}
        return provenance(self.started, device=device, **facts)


def parse(
    stage: str,
    description: str | None,
    argv: Sequence[str] | None,
    inputs: Sequence[str] | None = None,
    optional: Sequence[str] | None = None,
) -> Job:
    """Read the command line of a stage, and lease the GPUs that the job needs.

    If several processes share the work, this function starts them and returns in each of them.

    Args:
        stage: name of the stage.
        description: text of the script's `--help`.
        argv: arguments; None for those of this process.
        inputs: names of the artefacts that the command line must give; None for those in the table of stages.
        optional: names of the artefacts that it can give; None for those in the table of stages.

    Raises:
        InputError: a setting is not valid, or an artefact is missing.
    """
    inputs = tuple(STAGES[stage].takes) if inputs is None else inputs
    optional = STAGES[stage].optional if optional is None else optional
    arguments = _parser(description, inputs, optional).parse_args(argv)
    received = _read_settings(arguments.settings)
    version, search_space = received.pop("version", None), received.pop("search_space", None)
    processes, repeat = received.pop("processes", 1), received.pop("repeat", 0)
    operations = received.pop("operations", None)
    suggestion = read_suggestion(arguments.suggestion) if arguments.suggestion else None
    params = suggestion.params if suggestion else {}
    files = {name: path for name in (*inputs, *optional) if (path := getattr(arguments, name)) is not None}
    for path in files.values():
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected an artefact of an earlier stage")
    job = Job(
        stage=stage,
        received=_with_next_seed(with_parameters(received, params), repeat),
        search_space=search_space and space_of_trial(search_space, params),
        version=version,
        dataset=read_pointer(arguments.manifest),
        inputs=files,
        trial=suggestion.trial if suggestion else None,
        unit=arguments.unit,
        accelerator=arguments.accelerator,
        display=arguments.display,
        prune_below=suggestion.prune_below if suggestion else None,
        processes=processes,
        operations=operations,
        repeat=repeat,
        is_last_attempt=arguments.attempt > RETRIES,
    )
    _ = job.settings  # a wrong setting ends the job here
    if arguments.accelerator in ("gpu", "auto") and not is_rank():
        lease_devices(processes, alone=stage == "measure_latency")
    launch(processes)
    return job


def _read_settings(text: str) -> dict[str, Any]:
    received = parse_json(text, "--settings")
    if not isinstance(received, dict):
        raise InputError(f"--settings is {shown(received)}; expected a JSON object")
    processes, search_space = received.get("processes", 1), received.get("search_space")
    if type(processes) is not int or not 1 <= processes <= 1024:
        raise InputError(f"--settings: processes is {shown(processes)}; expected a whole number >= 1 and <= 1024")
    if search_space is not None and not isinstance(search_space, dict):
        raise InputError(f"--settings: search_space is {shown(search_space)}; expected its name and content")
    return received


def _with_next_seed(received: dict[str, Any], repeat: int) -> dict[str, Any]:
    """Return the settings with nas.seed raised by `repeat`."""
    return received | {"nas": received["nas"] | {"seed": received["nas"]["seed"] + repeat}} if repeat else received


def _parser(description: str | None, inputs: Sequence[str], optional: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="settings of the stage as JSON, as Snakemake prints them")
    parser.add_argument("--manifest", required=True, type=Path, help="the run's file with the facts about the data set")
    parser.add_argument("--suggestion", type=Path, help="suggestion.json of the trial; not for a shared stage")
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "gpu", "mps"))
    display = "lines: one line per epoch only; more: bar, summary and tensorboard, joined by +"
    parser.add_argument("--display", default="lines", help=display)
    parser.add_argument("--attempt", default=1, type=int, help="number of Snakemake's attempt, from 1")
    parser.add_argument("--unit", required=True, type=Path, help="folder of the results, shared or trial-NNNN")
    for name in (*inputs, *optional):
        parser.add_argument(f"--{name}", required=name in inputs, type=Path, help="artefact of an earlier stage")
    return parser


def _received_keys(received: Mapping[str, Any], model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested settings. A complete section is one key, so that all of its keys can be read."""
    for name, value in received.items():
        section = model.model_fields[name].annotation
        if isinstance(section, type) and issubclass(section, BaseModel) and value.keys() != section.model_fields.keys():
            yield from _received_keys(value, section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

"""What all stage scripts share: the command line, a trial's settings, the fingerprint.

No torch here: bad arguments end before it is loaded.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasmake.config import Config, load
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, digest_of, fingerprint, read_json
from nasmake.core.process import is_rank
from nasmake.core.provenance import provenance
from nasmake.jobs.gpu_leases import lease_devices
from nasmake.jobs.launch import launch
from nasmake.pipeline.stages import SPACE_KEY, with_parameters
from nasmake.search_spaces import SearchSpace


@dataclass(frozen=True)
class Job:
    """One run of one stage.

    Attributes:
        settings: the stage's settings with the trial's parameters written in; other sections hold defaults.
        search_space: name and content of the space file; None in a stage that needs none.
        version: STAGE_VERSION of the stage.
        dataset: folder of the prepared data set.
        inputs: artefacts of the stages before, by name.
        trial: number of the trial; None in a shared stage.
        unit: folder of the results.
        accelerator: auto, cpu, gpu or mps.
        display: lines, or some of bar, summary and tensorboard with + between them.
        prune_below: val accuracy below which a retraining stops, by epoch; None without a pruner.
        processes: how many share the work; each normalises its own part of a batch, so their number changes the bytes.
    """

    stage: str
    settings: Config
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
    started: float = field(default_factory=time.time)

    def fingerprint(self, device: str) -> str:
        """Names everything that decides the bytes of the result: a training state fits this and nothing else."""
        data = read_json(self.dataset / "manifest.json")["sha256"]
        inputs = digest_of(sorted(self.inputs.values()))
        settings = self.settings.model_dump(mode="json")
        pruning = () if self.prune_below is None else (self.prune_below,)
        ranks = () if self.processes == 1 else ({"processes": self.processes},)
        return fingerprint(
            self.stage, self.version, settings, self.search_space, data, inputs, device, *pruning, *ranks
        )

    def space(self) -> SearchSpace:
        """The search space that the stage was told."""
        assert self.search_space is not None  # a stage that asks for it was told it
        name = self.search_space["name"]
        return SearchSpace.from_mapping(self.search_space["content"], name, name)

    def history(self, name: str) -> Path:
        """The history file of that name in this job's unit."""
        return self.unit / "history" / f"{name}.csv"

    def provenance(self, device: str | None) -> dict[str, Any]:
        """The provenance block of this job's artefacts."""
        return provenance(self.started, device=device)


def parse(
    stage: str,
    description: str | None,
    argv: Sequence[str] | None,
    inputs: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> Job:
    """Read a stage's command line; `inputs` are artefacts that it must name, `optional` ones that it may.

    Where the settings ask for several processes, they are started here, and each of them returns.

    Raises:
        InputError: settings are not valid, or an artefact is missing.
    """
    arguments = _parser(description, inputs, optional).parse_args(argv)
    content = _settings(arguments.settings)
    version, space = content.pop("version", None), content.pop("search_space", None)
    processes = content.pop("processes", 1)
    suggestion = read_json(arguments.suggestion) if arguments.suggestion else {"trial": None, "params": {}}
    if space and "choices" in space:
        space = space["choices"][suggestion["params"][SPACE_KEY]]
    given = {name: getattr(arguments, name) for name in (*inputs, *optional)}
    files = {name: path for name, path in given.items() if path is not None}
    for path in files.values():
        if not path.is_file():
            raise InputError(f"{path}: no such file; the stage before makes it")
    job = Job(
        stage=stage,
        settings=load(with_parameters(content, suggestion["params"]) | {"optimize": {"trial_number": 1}}),
        search_space=space,
        version=version,
        dataset=arguments.manifest.parent,
        inputs=files,
        trial=suggestion["trial"],
        unit=arguments.unit,
        accelerator=arguments.accelerator,
        display=arguments.display,
        prune_below=suggestion.get("prune_below"),
        processes=processes,
    )
    if arguments.accelerator in ("gpu", "auto") and not is_rank():
        lease_devices(processes)
    launch(processes)
    return job


def _parser(description: str | None, inputs: Sequence[str], optional: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="the stage's settings as JSON (Snakemake prints them)")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.json of the prepared data set")
    parser.add_argument("--suggestion", type=Path, help="the trial's suggestion.json; none in a shared stage")
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "gpu", "mps"))
    shown = "bar, summary and tensorboard, with + between them, besides one line per epoch"
    parser.add_argument("--display", default="lines", help=shown)
    parser.add_argument("--unit", required=True, type=Path, help="folder of the results: shared or trial-NNNN")
    for name in (*inputs, *optional):
        parser.add_argument(f"--{name}", required=name in inputs, type=Path, help="artefact of the stage before")
    return parser


def _settings(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--settings: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"--settings: expected a JSON object, found {canonical_json(content)[:40]}")
    return content

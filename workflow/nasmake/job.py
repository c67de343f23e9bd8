"""What all stage scripts share: the command line, a trial's settings, the fingerprint, the way errors end.

No torch here: bad arguments end before it is loaded.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasmake.artifacts import InputError, canonical_json, digest_of, fingerprint, provenance, read_json
from nasmake.config import Config, load
from nasmake.stages import with_parameters

COMPLETE, PRUNED = "COMPLETE", "PRUNED"


class AlreadyDoneError(Exception):
    """While this process waited for the stage's lock, its holder finished the stage."""


@dataclass(frozen=True)
class Job:
    """One run of one stage.

    Attributes:
        settings: the stage's settings with the trial's parameters written in; other sections hold defaults.
        search_space: name and content of the space file.
        version: STAGE_VERSION of the stage.
        dataset: folder of the prepared data set.
        inputs: artefacts of the stages before, by name.
        trial: number of the trial; None in a shared stage.
        unit: folder of the results.
        accelerator: auto, cpu, gpu or mps.
        display: lines, bar, summary or bar+summary.
    """

    stage: str
    settings: Config
    search_space: Mapping[str, Any]
    version: int
    dataset: Path
    inputs: Mapping[str, Path]
    trial: int | None
    unit: Path
    accelerator: str
    display: str
    started: float = field(default_factory=time.time)

    def fingerprint(self, device: str) -> str:
        """Names everything that decides the bytes of the result: a training state fits this and nothing else."""
        data = read_json(self.dataset / "manifest.json")["sha256"]
        inputs = digest_of(sorted(self.inputs.values()))
        settings = self.settings.model_dump(mode="json")
        return fingerprint(self.stage, self.version, settings, self.search_space, data, inputs, device)

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

    Raises:
        InputError: settings are not valid, or an artefact is missing.
    """
    arguments = _parser(description, inputs, optional).parse_args(argv)
    content = _settings(arguments.settings)
    version, space = content.pop("version", None), content.pop("search_space", None)
    suggestion = read_json(arguments.suggestion) if arguments.suggestion else {"trial": None, "params": {}}
    given = {name: getattr(arguments, name) for name in (*inputs, *optional)}
    files = {name: path for name, path in given.items() if path is not None}
    for path in files.values():
        if not path.is_file():
            raise InputError(f"{path}: no such file; the stage before makes it")
    return Job(
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
    )


def script(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run a script's main; what a user can mend ends in one line and exit code 1."""
    signal.signal(signal.SIGTERM, _terminated)  # until training takes the signal over
    try:
        main(argv)
    except AlreadyDoneError:
        print("done by the process that was waited for", flush=True)
    except (InputError, OSError) as error:  # such as a folder that cannot be written, a full disk
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # Ctrl-C
        print("interrupted; the last saved training state stays", file=sys.stderr)
        raise SystemExit(130) from None


def _terminated(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _parser(description: str | None, inputs: Sequence[str], optional: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="the stage's settings as JSON (Snakemake prints them)")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.json of the prepared data set")
    parser.add_argument("--suggestion", type=Path, help="the trial's suggestion.json; none in a shared stage")
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "gpu", "mps"))
    shown = ("lines", "bar", "summary", "bar+summary")
    parser.add_argument("--display", default="lines", choices=shown, help="besides one line per epoch")
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

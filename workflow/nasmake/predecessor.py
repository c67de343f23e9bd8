"""What the files of the predecessor, aiaccel's examples/nas, say in other words.

Imported by the Snakefile: no torch here.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from shlex import quote
from typing import Any

from nasmake.paths import assign, value_at

# The predecessor's hyperparameters, which it kept without sections.
ALIASES = {
    "batch_size_supernet_train": "supernet.batch_size",
    "batch_size_architecture_search": "search.batch_size",
    "initial_lr": "supernet.lr",
    "lam": "supernet.paths_per_step",
    "alpha": "search.alpha",
    "epsilon": "search.epsilon",
} | {
    name: f"supernet.{name}"
    for name in (
        *("optimizer", "weight_decay", "momentum", "dampening", "smoothing", "beta1", "beta2", "eps", "momentum_decay"),
        *("scheduler", "warmup_epochs", "milestone_start", "milestone_step", "gamma"),
        *("start_factor", "end_factor", "total_epochs"),
    )
}

# Its trainer_config.yaml names its own files and class; hyperparameter.yaml has a number that nothing read.
WITHOUT_EFFECT = ("trainer._target_", "trainer.nas_config", "trainer.parameter_config", "total_iters")


def path_of(name: str) -> str:
    """The dotted path that a searched parameter's name stands for."""
    return ALIASES.get(name, name)


def with_sections(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration in which hyperparameters that stand alone are in their sections, and win there."""
    changed = deepcopy({name: value for name, value in raw.items() if name not in ALIASES})
    for name in WITHOUT_EFFECT:
        *parents, last = name.split(".")
        section = value_at(changed, parents[0], {}) if parents else changed
        if isinstance(section, dict):
            section.pop(last, None)
    for name in ALIASES.keys() & raw.keys():
        assign(changed, ALIASES[name], raw[name])
    return changed


def without_effect(raw: Mapping[str, Any]) -> list[str]:
    """One line for the keys of the predecessor's files that do nothing here."""
    given = [name for name in WITHOUT_EFFECT if value_at(raw, name, None) is not None]
    return [f"{', '.join(given)}: without effect: files are named behind --configfile"] * bool(given)


def prologue(preamble: str | None, interpreter: Path) -> str:
    """What every job on a cluster begins with: the commands of ABCI.job_script_preamble, and bash's strict mode.

    An environment that they activate does not take the place of the one that nasmake runs in.

    Args:
        preamble: the file; None, or one that is not there, for no commands.
        interpreter: Python of nasmake's environment.

    Returns:
        For Snakemake's `shell.prefix`: braces are doubled.
    """
    strict = "set -euo pipefail; "
    if preamble is None or not Path(preamble).is_file():
        return strict
    commands = f"source {quote(str(Path(preamble).resolve()))}; export PATH={quote(str(interpreter.parent))}:$PATH; "
    return (commands + strict).replace("{", "{{").replace("}", "}}")


def notices_of_preamble(preamble: str | None) -> list[str]:
    """One line if the file is not there, or has directives of Grid Engine, which ABCI has left: comments to bash."""
    if preamble is None:
        return []
    key, path = "ABCI.job_script_preamble", Path(preamble)
    if not path.is_file():
        return [f"{key}: {preamble}: no such file; jobs on a cluster begin without it"]
    directives = sum(line.startswith("#$") for line in path.read_text().splitlines())
    return [f"{key}: {preamble}: {directives} directives of Grid Engine are dropped"] * bool(directives)

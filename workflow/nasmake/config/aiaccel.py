"""What the files of the predecessor, aiaccel's examples/nas, say in other words.

Imported by the Snakefile: no torch here.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from nasmake.core.nested import assign, value_at

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


def in_sections(raw: Mapping[str, Any]) -> dict[str, Any]:
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

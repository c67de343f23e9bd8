"""Names of aiaccel's NAS example (examples/nas), so that its configuration files work here unchanged."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from nasmake.core.nested import assign, value_at

# Hyperparameters that aiaccel keeps outside of sections, and the keys that they stand for.
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
# aiaccel's trainer_config.yaml names its other files and a class; hyperparameter.yaml has a number that nothing reads.
WITHOUT_EFFECT = ("trainer._target_", "trainer.nas_config", "trainer.parameter_config", "total_iters")


def path_of(name: str) -> str:
    """Return the dotted path of a hyperparameter.

    Args:
        name: an alias of aiaccel, such as `initial_lr` for `supernet.lr`. Any other name is a path already.
    """
    return ALIASES.get(name, name)


def in_sections(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with aiaccel's aliases moved to their sections.

    The value of an alias replaces a value that the section has. Keys in WITHOUT_EFFECT are left out.
    """
    sections = deepcopy({name: value for name, value in raw.items() if name not in ALIASES})
    for path in WITHOUT_EFFECT:
        parent, _, last = path.rpartition(".")
        section = sections.get(parent) if parent else sections
        if isinstance(section, dict):
            section.pop(last, None)
    for name in ALIASES.keys() & raw.keys():
        if isinstance(sections.get(ALIASES[name].partition(".")[0], {}), dict):  # otherwise the section is refused
            assign(sections, ALIASES[name], raw[name])
    return sections


def without_effect(raw: Mapping[str, Any]) -> list[str]:
    """Return a warning of one line if a configuration has keys of aiaccel that do nothing here, else no line."""
    given = [path for path in WITHOUT_EFFECT if value_at(raw, path, None) is not None]
    return [f"{', '.join(given)}: without effect; name your files behind --configfile"] if given else []

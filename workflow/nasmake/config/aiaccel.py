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
# aiaccel's retrain_config.yaml has the settings of retraining under names of its own.
MOVED = {f"dataset.{part}": f"dataset.retrain.{part}" for part in ("train", "test")} | {
    f"hyperparameters.{name}": f"retrain.hyperparameters.{name}"
    for name in ("base_lr", "batch_size", "momentum", "num_epochs", "weight_decay")
}
# Keys of retrain_config.yaml and nas_trainer_config.yaml that no key of nasmake stands for.
DROPPED = {
    "dataset.num_classes": "the images decide it",
    "conf.alpha": "the alpha of asng is search.alpha",
}


def path_of(name: str) -> str:
    """Return the dotted path of a hyperparameter.

    Args:
        name: an alias of aiaccel, such as `initial_lr` for `supernet.lr`. Any other name is a path already.
    """
    return ALIASES.get(name, name)


def in_sections(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with aiaccel's aliases moved to their sections.

    The value of an alias replaces a value that the section has. Keys in WITHOUT_EFFECT and DROPPED are left out, and
    keys in MOVED get their new place.
    """
    sections = deepcopy({name: value for name, value in raw.items() if name not in ALIASES})
    for path in (*WITHOUT_EFFECT, *DROPPED):
        _take(sections, path)
    for path, target in MOVED.items():
        section, name, _ = target.split(".")
        places = (sections.get(section, {}), value_at(sections, f"{section}.{name}", {}))
        if all(isinstance(place, dict) for place in places) and (value := _take(sections, path)) is not None:
            assign(sections, target, value)
    for name in ALIASES.keys() & raw.keys():
        if isinstance(sections.get(ALIASES[name].partition(".")[0], {}), dict):  # otherwise the section is refused
            assign(sections, ALIASES[name], raw[name])
    return sections


def without_effect(raw: Mapping[str, Any]) -> list[str]:
    """Return the warnings about keys of aiaccel that do nothing here or have another place, one line each."""
    given = [path for path in WITHOUT_EFFECT if value_at(raw, path, None) is not None]
    lines = [f"{', '.join(given)}: without effect; name your files behind --configfile"] if given else []
    dropped = {path: why for path, why in DROPPED.items() if value_at(raw, path, None) is not None}
    moved = [f"{path} is {target}" for path, target in MOVED.items() if value_at(raw, path, None) is not None]
    lines += [f"{path}: without effect; {why}" for path, why in dropped.items()]
    return [*lines, *([f"names of retrain_config.yaml: {', '.join(moved)}"] if moved else [])]


def _take(sections: dict[str, Any], path: str) -> Any:
    """Remove the key at a path, and its section if that is empty then; return the value, None if there is no key."""
    parent, _, last = path.rpartition(".")
    section = sections.get(parent) if parent else sections
    if not isinstance(section, dict) or last not in section:
        return None
    value = section.pop(last)
    if parent and not section:
        del sections[parent]
    return value

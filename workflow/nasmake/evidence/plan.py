"""What is run for the evidence: units of the product's own stages, told other seeds, strategies, lengths and data.

Imported by the Snakefile: no torch or numpy here.
"""

from collections.abc import Mapping
from typing import Any

from nasmake.config import Config, load
from nasmake.core.files import canonical_json
from nasmake.core.nested import assign
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.stages import STAGE_VERSION, settings_of
from nasmake.strategies import STRATEGIES

SHORTENED = 4  # a quarter of the supernet's steps, as an ablation
EASY_SEEDS = 3  # at most: what recalibration does there is far larger than its spread
VERSION = 1  # of what is done here; raised when its meaning changes
KINDS = ("supernet", "quarter", "easy")  # of supernets: as configured, with a quarter of the steps, on the easy data


def strategies() -> list[str]:
    """All strategies there are, in the order of their table."""
    return list(STRATEGIES)


def supernets(config: Config) -> list[str]:
    """The units in which supernets are trained and score the list of networks."""
    seeds = config.evidence.seeds
    return [f"{kind}-{seed}" for kind in KINDS for seed in (seeds[:EASY_SEEDS] if kind == "easy" else seeds)]


def lists(config: Config) -> list[str]:
    """The units with networks that are trained from scratch."""
    return ["ranking", *(f"selection-{seed}" for seed in config.evidence.seeds)]


def configured(config: Config, kind: str, changes: Mapping[str, Any]) -> Config:
    """The configuration of one unit: that of the run with `changes`, by dotted path, and those of the kind."""
    changed = config.model_dump(mode="json")
    if kind == "easy":
        assign(changed, "dataset.name", config.evidence.easy_dataset)
    if kind == "quarter":
        epochs = max(1, config.nas.num_epochs_supernet_train // SHORTENED)
        assign(changed, "nas.num_epochs_supernet_train", epochs)
    for path, value in changes.items():
        assign(changed, path, value)
    return load(changed)


def evidence_settings(stage: str, config: Config, kind: str = "supernet", **changes: Any) -> str:
    """What a job of the evidence is told, as JSON; `changes` by path, with two underscores for each dot.

    The product's stages are told what they would be in a study of these settings, and nothing else.
    """
    unit = configured(config, kind, {path.replace("__", "."): value for path, value in changes.items()})
    settings: dict[str, Any] = settings_of(READS.get(stage, stage), unit)
    if stage in READS:
        settings |= {"evidence": unit.evidence.model_dump(mode="json")} if stage == "choose_networks" else {}
    return canonical_json(
        settings | {"search_space": read_search_space(unit), "version": STAGE_VERSION.get(stage, VERSION)}
    )


READS = {  # the product's stage whose settings decide a job of the evidence
    "choose_networks": "search_architecture",
    "score_networks": "search_architecture",
    "train_networks": "retrain",
}

"""What `make evidence` runs: stages of a study with other seeds, strategies, lengths and data, in units of their own.

Imported by the Snakefile: no torch or numpy here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nasmake.config import Config, load
from nasmake.core.files import canonical_json
from nasmake.core.nested import assign
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES, Stage, settings_of
from nasmake.strategies import STRATEGIES

SHORTENED = 4  # the ablation trains the supernet for a quarter of the steps
EASY_SEEDS = 3  # the effect of recalibration is far larger than its spread, so three seeds are enough
KINDS = ("supernet", "quarter", "easy")  # supernets as configured, with a quarter of the steps, on the easy data set

EVIDENCE_STAGES: Mapping[str, Stage] = {
    "choose_networks": Stage(version=1, reads=(*STAGES["search_architecture"].reads, "evidence")),
    "score_networks": Stage(version=1, reads=STAGES["search_architecture"].reads),
    "train_networks": Stage(version=2, reads=(*STAGES["retrain"].reads, "search.batch_size")),
}


def strategies() -> list[str]:
    """Return the names of all strategies, in the order of their table."""
    return list(STRATEGIES)


def configured(config: Config, kind: str, changes: Mapping[str, Any]) -> Config:
    """Return the configuration of one unit.

    Args:
        config: configuration of the run.
        kind: of the supernet, see KINDS.
        changes: other values, by dotted path.
    """
    changed = config.model_dump(mode="json")
    if kind == "easy":
        assign(changed, "dataset.name", config.evidence.easy_dataset)
    if kind == "quarter":
        epochs = max(1, config.nas.num_epochs_supernet_train // SHORTENED)
        assign(changed, "nas.num_epochs_supernet_train", epochs)
    for path, value in changes.items():
        assign(changed, path, value)
    return load(changed)


class EvidencePlan:
    """What the rules of the evidence ask, beside the plan of the study.

    Attributes:
        easy: folder of the prepared data set on which recalibration is judged.
        supernets: units in which supernets are trained and score the list of networks.
        lists: units with networks that are trained from scratch.
    """

    def __init__(self, plan: Plan) -> None:
        evidence = plan.config.evidence
        self.plan = plan
        self.easy = str(Path(plan.config.dataset.path, evidence.easy_dataset))
        seeds = {kind: evidence.seeds[:EASY_SEEDS] if kind == "easy" else evidence.seeds for kind in KINDS}
        self.supernets = [f"{kind}-{seed}" for kind in KINDS for seed in seeds[kind]]
        self.lists = ["ranking", *(f"selection-{seed}" for seed in evidence.seeds)]
        self.own_settings = canonical_json(evidence.model_dump(mode="json"))

    def data(self, wildcards: Any) -> list[str]:
        """Return the training arrays of a supernet; an input function."""
        return [f"{self._dataset(wildcards)}/train_{kind}.npy" for kind in ("images", "labels")]

    def manifest(self, wildcards: Any) -> str:
        """Return the manifest of the data set of a supernet; an input function."""
        return f"{self._dataset(wildcards)}/manifest.json"

    def searches(self, wildcards: Any) -> dict[str, str]:
        """Return the evaluations of every strategy with the seed of a selection; an input function."""
        if wildcards.list == "ranking":
            return {}
        seed = wildcards.list.removeprefix("selection-")
        return {name: f"{self.plan.run}/search-{name}-{seed}/history/evaluations.csv" for name in strategies()}

    def settings(self, stage: str) -> Callable[[Any], str]:
        """Return the params function that gives the settings of a stage with the seed, kind and strategy of the unit.

        The stages of a study receive what they would in a study with these settings, and nothing else.
        """
        entry = EVIDENCE_STAGES.get(stage) or STAGES[stage]

        def settings(wildcards: Any) -> str:
            named = dict(wildcards)
            changes: dict[str, Any] = {"nas.seed": int(named["seed"])} if "seed" in named else {}
            changes |= {"search.algorithm": named["strategy"]} if "strategy" in named else {}
            unit = configured(self.plan.config, named.get("kind", "supernet"), changes)
            space = read_search_space(unit)
            return canonical_json(settings_of(entry, unit) | {"search_space": space, "version": entry.version})

        return settings

    def _dataset(self, wildcards: Any) -> str:
        return self.easy if wildcards.kind == "easy" else self.plan.dataset()

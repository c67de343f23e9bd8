"""What `make evidence` runs: stages of a study with other seeds, strategies, lengths and data, in units of their own.

Imported by the Snakefile: no torch or numpy here.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nasmake.config import Config, load
from nasmake.core.artefacts import JobFacts
from nasmake.core.files import canonical_json, fingerprint
from nasmake.core.nested import assign
from nasmake.pipeline.data_folders import place_of
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES, Stage, settings_of
from nasmake.pipeline.study_jobs import Jobs
from nasmake.strategies import STRATEGIES

SHORTENED = 4  # the ablation trains the supernet for a quarter of the steps
EASY = "shared/easy_dataset.json"
EASY_SEEDS = 3  # the effect of recalibration is far larger than its spread, so three seeds are enough
KINDS = ("supernet", "quarter", "easy")  # supernets as configured, with a quarter of the steps, on the easy data set

EVIDENCE_STAGES: Mapping[str, Stage] = {
    "choose_networks": Stage(version=1, reads=(*STAGES["search_architecture"].reads, "evidence")),
    "score_networks": Stage(version=1, reads=STAGES["search_architecture"].reads),
    "train_networks": Stage(version=3, reads=(*STAGES["retrain"].reads, "search.batch_size")),
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
        study: the jobs of the study, which prepare its data set.
    """

    def __init__(self, plan: Plan, study: Jobs) -> None:
        evidence = plan.config.evidence
        self.plan, self.study = plan, study
        self._identity = cache(self._make_identity)
        self.easy = str(place_of(plan.config, evidence.easy_dataset))
        seeds = {kind: evidence.seeds[:EASY_SEEDS] if kind == "easy" else evidence.seeds for kind in KINDS}
        self.supernets = [f"{kind}-{seed}" for kind in KINDS for seed in seeds[kind]]
        self.lists = ["ranking", *(f"selection-{seed}" for seed in evidence.seeds)]
        self.own_settings = canonical_json(evidence.model_dump(mode="json"))

    @property
    def easy_facts(self) -> str:
        """The run's file with the facts about the easy data set."""
        return self.plan.manifest() if self.easy == self.plan.dataset() else f"{self.plan.run}/{EASY}"

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule with these wildcards, see `nasmake.pipeline.study_jobs`."""
        run, named = self.plan.run, dict(wildcards)
        folder, inputs, outputs = self._files(rule, named)
        return JobFacts(rule, f"{run}/{folder}".rstrip("/"), self._identity(rule, **named), inputs, outputs)

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""
        unit, _, artefact = path.removeprefix(f"{self.plan.run}/").partition("/")
        name, _, seed = unit.rpartition("-")
        if path == self.easy_facts != self.plan.manifest():
            return self.of("download_easy_dataset", {})
        if name.startswith("search-"):
            wildcards = {"strategy": name.removeprefix("search-"), "seed": seed}
            return self.of("search_architecture_of_evidence", wildcards)
        if name in KINDS:
            rule = "score_networks" if artefact == "scores.csv" else "train_supernet_of_evidence"
            return self.of(rule, {"kind": name, "seed": seed})
        if unit in self.lists:
            if artefact == "networks.json":
                return self.of("choose_networks", {"list": unit})
            return self.of("train_networks", {"list": unit, "seed": artefact.split("/")[0].removeprefix("seed-")})
        return self.study.producer(path)

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job of the study prepares; the easy data set is none."""
        return self.study.changed_images(job)

    def _files(self, rule: str, named: Mapping[str, str]) -> tuple[str, dict[str, Any], list[str]]:
        """Return the folder of a job, its inputs and its outputs."""
        run, facts = self.plan.run, {"manifest": self.plan.manifest()}
        if named.get("kind") == "easy":
            facts = {"manifest": self.easy_facts}
        if rule == "download_easy_dataset":
            return "shared", {}, [self.easy_facts]
        if rule == "evidence":
            return "", self.measurements(), [f"{run}/evidence.{kind}" for kind in ("json", "md", "svg", "html")]
        if rule == "choose_networks":
            return named["list"], facts | self._searches(named["list"]), [f"{run}/{named['list']}/networks.json"]
        if rule == "train_networks":
            unit = f"{named['list']}/seed-{named['seed']}"
            return unit, facts | {"networks": f"{run}/{named['list']}/networks.json"}, [f"{run}/{unit}/trained.csv"]
        unit = f"{named.get('kind', 'supernet')}-{named['seed']}"
        supernet = {"supernet": f"{run}/{unit}/supernet.safetensors", "record": f"{run}/{unit}/supernet.json"}
        if rule == "score_networks":
            networks = {"networks": f"{run}/ranking/networks.json"}
            return unit, facts | networks | supernet, [f"{run}/{unit}/scores.csv"]
        if rule == "search_architecture_of_evidence":
            unit = f"search-{named['strategy']}-{named['seed']}"
            return unit, facts | supernet, list(self.plan.outputs("search_architecture", unit).values())
        return unit, facts, list(self.plan.outputs("train_supernet", unit).values())

    def measurements(self) -> dict[str, list[str]]:
        """Return the files that the table of the evidence is made from."""
        run, seeds = self.plan.run, self.plan.config.evidence.retrain_seeds
        return {
            "scores": [f"{run}/{unit}/scores.csv" for unit in self.supernets],
            "lists": [f"{run}/{unit}/networks.json" for unit in self.lists],
            "trained": [f"{run}/{unit}/seed-{seed}/trained.csv" for unit in self.lists for seed in seeds],
        }

    def _searches(self, unit: str) -> dict[str, str]:
        """Return the evaluations of every strategy with the seed of a selection."""
        if unit == "ranking":
            return {}
        seed = unit.removeprefix("selection-")
        return {name: f"{self.plan.run}/search-{name}-{seed}/history/evaluations.csv" for name in strategies()}

    def _make_identity(self, rule: str, **named: str) -> str:
        if rule == "evidence":
            return fingerprint(rule, self.own_settings)
        if rule == "download_easy_dataset":
            return fingerprint(rule, self.plan.source_settings(name=self.plan.config.evidence.easy_dataset))
        return fingerprint(rule, self.settings(rule.removesuffix("_of_evidence"))(named))

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

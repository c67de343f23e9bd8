"""What `make evidence` runs: supernets with several seeds and settings, their scores, and searches by look-up.

Imported by the Snakefile: no torch or numpy here.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nasmake.config import Config, load
from nasmake.config.evidence import SUPERNET
from nasmake.core.artefacts import JobFacts
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, fingerprint
from nasmake.core.nested import assign
from nasmake.evidence.benchmark_table import space_of_table
from nasmake.pipeline.inputs import read_search_space
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES, Stage, settings_of
from nasmake.pipeline.study_jobs import Jobs
from nasmake.strategies import STRATEGIES

SEARCH = STAGES["search_architecture"].reads
EVIDENCE_STAGES: Mapping[str, Stage] = {
    "score_networks": Stage(version=2, reads=SEARCH),
    "search_by_lookup": Stage(
        version=1, reads=(*SEARCH, "evidence.search_seeds", "evidence.budgets", "evidence.macs_band")
    ),
}
# Methods that need real steps of training, and the keys that choose them. Their units have these names.
TRAINED_SEARCHES: Mapping[str, Mapping[str, str]] = {
    "gates": {"search.algorithm": "proxyless"},
    "simultaneous": {"nas.type": "simultaneous", "search.algorithm": "asng"},
}
KIND_OF = {"search_architecture": "gates", "search_supernet": "simultaneous"}  # by stage
LOOKED_UP = tuple(name for name in STRATEGIES if name != "proxyless")


def changed_config(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a copy of a configuration in which the dotted keys of `changes` have other values.

    Raises:
        InputError: a key is unknown or its value is not allowed.
    """
    changed = config.model_dump(mode="json")
    for path, value in changes.items():
        assign(changed, path, value)
    try:
        return load(changed)
    except InputError as error:
        raise InputError(error.problem) from None  # the caller knows where the changes come from


class EvidencePlan:
    """What the rules of the evidence ask, beside the plan of the study.

    Attributes:
        supernets: units in which supernets are trained and score the networks of the table.
        study: the jobs of the study, which prepare its data set.
    """

    def __init__(self, plan: Plan, study: Jobs) -> None:
        self.plan, self.study, self.evidence = plan, study, plan.config.evidence
        self._identity = cache(self._make_identity)
        self.supernets = [
            f"{kind}-{seed}" for kind in self.evidence.supernets() for seed in self.evidence.seeds_of(kind)
        ]
        self.own_settings = canonical_json(self.evidence.model_dump(mode="json"))

    @property
    def table(self) -> str:
        """Path of the benchmark table.

        Raises:
            InputError: evidence.table is not set.
        """
        if self.evidence.table is None:
            raise InputError(
                "evidence.table is null; expected the path of a benchmark_table.csv; to make one, type: make tabulate"
            )
        return self.evidence.table

    def check(self) -> None:
        """Check the table and the settings of every kind of supernet.

        Raises:
            InputError: the table is missing or damaged, it lacks networks of the space, or the keys of a variant are
                wrong.
        """
        from nasmake.evidence.table_file import read_table

        found, space = len(read_table(Path(self.table)).networks), space_of_table(self.plan)
        if found != space.num_networks:
            raise InputError(
                f"{self.table}: has {found} networks; expected all {space.num_networks} of {space.name}, because a "
                "search may ask for any of them"
            )
        for kind in self.evidence.supernets():
            try:
                self._configured(kind, self.evidence.seeds[0])
            except InputError as error:
                raise InputError(f"evidence.variants.{kind}: {error}") from None

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule with these wildcards, see `nasmake.pipeline.study_jobs`."""
        run, named = self.plan.run, dict(wildcards)
        folder, inputs, outputs = self._files(rule, named)
        return JobFacts(rule, f"{run}/{folder}".rstrip("/"), self._identity(rule, **named), inputs, outputs)

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""
        unit, _, artefact = path.removeprefix(f"{self.plan.run}/").partition("/")
        name, _, seed = unit.rpartition("-")
        if name.startswith("lookup-"):
            return self.of("search_by_lookup", {"strategy": name.removeprefix("lookup-"), "seed": seed})
        if name == "gates":
            return self.of("search_architecture_of_evidence", {"seed": seed})
        if name == "simultaneous":
            return self.of("search_supernet_of_evidence", {"seed": seed})
        if unit in self.supernets:
            rule = "score_networks" if artefact == "scores.csv" else "train_supernet_of_evidence"
            return self.of(rule, {"kind": name, "seed": seed})
        return self.study.producer(path)

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job of the study prepares."""
        return self.study.changed_images(job)

    def _files(self, rule: str, named: Mapping[str, str]) -> tuple[str, dict[str, Any], list[str]]:
        """Return the folder of a job, its inputs and its outputs."""
        run, facts = self.plan.run, {"manifest": self.plan.manifest()}
        if rule == "evidence":
            return "", self.measurements(), [f"{run}/evidence.{kind}" for kind in ("json", "md", "svg", "html")]
        seed = named["seed"]
        if rule == "search_by_lookup":
            unit, scores = f"lookup-{named['strategy']}-{seed}", {"scores": f"{run}/{SUPERNET}-{seed}/scores.csv"}
            return unit, facts | scores, [f"{run}/{unit}/found.csv"]
        trained = f"{run}/{named.get('kind', SUPERNET)}-{seed}/supernet"
        supernet = {"supernet": f"{trained}.safetensors", "record": f"{trained}.json"}
        stage = rule.removesuffix("_of_evidence")
        unit = f"{KIND_OF.get(stage) or named['kind']}-{seed}"
        if stage == "score_networks":
            return unit, facts | {"table": self.table} | supernet, [f"{run}/{unit}/scores.csv"]
        needed = supernet if stage == "search_architecture" else {}
        return unit, facts | needed, list(self.plan.outputs(stage, unit).values())

    def measurements(self) -> dict[str, Any]:
        """Return the files that the evidence is made from."""
        run, seeds = self.plan.run, self.evidence.seeds
        return {
            "table": self.table,
            "scores": [f"{run}/{unit}/scores.csv" for unit in self.supernets],
            "found": [f"{run}/lookup-{name}-{seed}/found.csv" for name in LOOKED_UP for seed in seeds],
            "trained_searches": [
                f"{run}/{name}-{seed}/architecture.json"
                for name in TRAINED_SEARCHES
                for seed in self.evidence.seeds_of(name)
            ],
        }

    def settings(self, stage: str, kind: str = SUPERNET) -> Callable[[Any], str]:
        """Return the params function that gives the settings of a stage with the seed, kind and strategy of the unit.

        The stages of a study receive what they would in a study with these settings, and nothing else.

        Args:
            stage: name of the stage.
            kind: of units whose wildcards name none.
        """
        entry = EVIDENCE_STAGES.get(stage) or STAGES[stage]

        def settings(wildcards: Any) -> str:
            named = dict(wildcards)
            unit = self._configured(named.get("kind", kind), int(named["seed"]), named.get("strategy"))
            space = read_search_space(unit)
            return canonical_json(settings_of(entry, unit) | {"search_space": space, "version": entry.version})

        return settings

    def _configured(self, kind: str, seed: int, strategy: str | None = None) -> Config:
        """Return the configuration of one unit."""
        changes = {**self.evidence.supernets(), **TRAINED_SEARCHES}[kind]
        searched = {"search.algorithm": strategy} if strategy else {}
        return changed_config(self.plan.config, {**changes, "nas.seed": seed, **searched})

    def _make_identity(self, rule: str, **named: str) -> str:
        if rule == "evidence":
            return fingerprint(rule, self.own_settings)
        stage = rule.removesuffix("_of_evidence")
        return fingerprint(rule, self.settings(stage, KIND_OF.get(stage, SUPERNET))(named))

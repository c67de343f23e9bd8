"""What `make baselines` runs: for each seed a search, and the training and test of the found network and of others.

Imported by the Snakefile: no torch or numpy here. The comparison itself lives in comparison.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nasmake.config import Config
from nasmake.config.baselines import FOUND, LINEAR
from nasmake.core.artefacts import Inputs, JobFacts
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, fingerprint
from nasmake.core.records import SHARED
from nasmake.evidence.benchmark_table import space_of_table
from nasmake.evidence.plan import changed_config
from nasmake.pipeline.inputs import read_imported_architecture
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import SHARED_KEYS, STAGES, Stage, reads, settings_of_job
from nasmake.pipeline.study_jobs import Jobs

TABLES = ("baselines.csv", "baselines.md")
BASELINE_STAGES: Mapping[str, Stage] = {
    "random_network": Stage(version=1, reads=("nas.seed", "baselines.macs_band"), has_space=True),
    LINEAR: Stage(version=1, reads=SHARED_KEYS, images="train"),
}
PRODUCERS = {  # of the artefacts of a unit that other jobs read
    "supernet.safetensors": "train_supernet_of_baselines",
    "supernet.json": "train_supernet_of_baselines",
    "architecture.json": "search_architecture_of_baselines",
    "final.json": "retrain_final_of_baselines",
}


class BaselinesPlan:
    """What the rules of the comparison ask, beside the plan of the study.

    A unit is the name of a network and a seed.

    Attributes:
        imported: names of the networks that come from files.
        random: names of the networks that are drawn.
        networks: all names, first that of the found networks.
    """

    def __init__(self, plan: Plan, study: Jobs) -> None:
        self.plan, self.study, self.baselines = plan, study, plan.config.baselines
        changes = self.baselines.networks
        self.imported = [name for name in changes if "nas.architecture" in changes[name]]
        self.random = [name for name in changes if name not in self.imported]
        self.networks = (FOUND, *changes)
        self.own_settings = self.baselines.model_dump_json()  # not sorted: the table has the order of the configuration
        self._identity = cache(lambda rule, **named: fingerprint(rule, self._settings(rule, named)))

    def check(self) -> None:
        """Check the settings of every network.

        Raises:
            InputError: a changed key is wrong or has no effect, a file holds no network, or there are several spaces.
        """
        space_of_table(self.plan)
        for name in self.baselines.networks:
            try:
                self._check_network(name)
            except InputError as error:
                raise InputError(f"baselines.networks.{name}: {error}") from None

    def _check_network(self, name: str) -> None:
        configured = self._configured({"network": name})
        for key in self.baselines.networks[name]:
            is_of_training = key.startswith(("retrain.", "final.")) and reads(STAGES["retrain_final"], key)
            if key != "nas.architecture" and not is_of_training:
                raise InputError(f"{key} has no effect; expected nas.architecture, or a key of retrain or final")
        if name in self.imported:
            read_imported_architecture(configured)

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule with these wildcards, see `nasmake.pipeline.study_jobs`."""
        named = dict(wildcards)
        folder, inputs, outputs = self._files(rule, named)
        return JobFacts(rule, f"{self.plan.run}/{folder}".rstrip("/"), self._identity(rule, **named), inputs, outputs)

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""
        unit, _, artefact = path.removeprefix(f"{self.plan.run}/").partition("/")
        if unit == LINEAR:
            return self.of(LINEAR, {})
        network, _, seed = unit.rpartition("-")
        if network not in self.networks:
            return self.study.producer(path)
        rule = PRODUCERS[artefact]
        if artefact == "architecture.json" and network != FOUND:
            rule = "import_architecture_of_baselines" if network in self.imported else "random_network"
        return self.of(rule, {"network": network, "seed": seed})

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job of the study prepares."""
        return self.study.changed_images(job)

    def measurements(self) -> dict[str, list[str]]:
        """Return the files that the comparison is made from."""
        run, seeds = self.plan.run, self.baselines.seeds
        return {
            "trained": [f"{run}/{name}-{seed}/final.json" for name in self.networks for seed in seeds],
            "searched": [
                f"{run}/{FOUND}-{seed}/{file}.json" for seed in seeds for file in ("supernet", "architecture")
            ],
            "linear": [f"{run}/{LINEAR}/{LINEAR}.json"] * self.plan.config.final.baseline,
        }

    def settings(self, rule: str) -> Callable[[Any], str]:
        """Return the params function that gives the settings of a rule's job."""
        return lambda wildcards: self._settings(rule, dict(wildcards))

    def _files(self, rule: str, named: Mapping[str, str]) -> tuple[str, Inputs, list[str]]:
        """Return the folder of a job, its inputs and its outputs."""
        plan = self.plan
        if rule == "baselines":
            return "", self.measurements(), [f"{plan.run}/{table}" for table in TABLES]
        if rule == LINEAR:
            inputs = plan.inputs("retrain_final", SHARED)
            images = {name: inputs[name] for name in ("manifest", "test")}
            return LINEAR, images, [f"{plan.run}/{LINEAR}/{LINEAR}.json"]
        unit = f"{named.get('network', FOUND)}-{named['seed']}"
        if rule == "random_network":
            found = {"manifest": plan.manifest(), "found": f"{plan.run}/{FOUND}-{named['seed']}/architecture.json"}
            return unit, found, [f"{plan.run}/{unit}/architecture.json"]
        stage = rule.removesuffix("_of_baselines")
        inputs = plan.inputs(stage, SHARED)
        inputs |= {name: f"{plan.run}/{unit}/{artefact}" for name, artefact in STAGES[stage].takes.items()}
        inputs.pop("result", None)  # of the trial, which these networks do not have
        return unit, inputs, list(plan.outputs(stage, unit).values())

    def _settings(self, rule: str, named: Mapping[str, str]) -> str:
        """Return the settings of a job as JSON: those that a study with the changed keys of the unit would give."""
        if rule == "baselines":
            return self.own_settings
        config, name = self._configured(named), rule.removesuffix("_of_baselines")
        if name == "import_architecture":
            return canonical_json(read_imported_architecture(config))
        stage = BASELINE_STAGES.get(name) or STAGES[name]
        return canonical_json(settings_of_job(stage, config, self.plan.search_space, self.plan.operations))

    def _configured(self, named: Mapping[str, str]) -> Config:
        """Return the configuration of one unit."""
        seed = int(named.get("seed", self.baselines.seeds[0]))
        changes = self.baselines.networks.get(named.get("network", FOUND), {})
        return changed_config(self.plan.config, {**changes, "nas.seed": seed, "final.baseline": False})

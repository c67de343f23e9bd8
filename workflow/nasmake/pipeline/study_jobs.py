"""The jobs of a study: for each rule and unit the folder, the inputs, the outputs, and a hash of the settings.

The rules ask this table for their inputs, and nasmake.pipeline.current compares it with the records of earlier jobs.
The Snakefile imports this module, so it loads no torch. It imports core and other modules of this room.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

from nasmake.core.artefacts import Inputs, JobFacts
from nasmake.core.errors import InputError
from nasmake.core.files import fingerprint
from nasmake.core.records import SHARED, trial_number
from nasmake.pipeline.data_folders import changed_images
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES

PROMOTED = "study/promoted.json"
SUMMARY_VERSION, REPORT_VERSION, EXPORT_VERSION = 3, 3, 1  # raised when the tables, figures or exports change
TABLES = ("study/best.json", "study/trials.csv", "study/summary.txt", "best/model.safetensors")

NOT_PROMOTED = (InputError, KeyError, TypeError, ValueError)  # promoted.json is missing or damaged


class Jobs(Protocol):
    """A table of jobs."""

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule with these wildcards."""

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job prepares; None if nothing did."""


class StudyJobs:
    """The table of jobs of one study."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._job = cache(self._make_job)
        self._identity = cache(self._make_identity)

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule; the unit is that of the wildcards `unit` or `trial`, or shared."""
        unit = wildcards.get("unit") or (f"trial-{wildcards['trial']}" if "trial" in wildcards else SHARED)
        if rule in ("summarize_study", "report", "export_best"):  # their inputs are known after the promotion only
            return self._make_job(rule, unit)
        return self._job(rule, unit)

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""
        if not path.startswith(f"{self.plan.run}/"):
            return None
        unit, _, artefact = path.removeprefix(f"{self.plan.run}/").partition("/")
        if artefact.startswith("repeat-"):
            repeat, _, artefact = artefact.partition("/")
            unit = f"{unit}/{repeat}"
        if unit in ("study", "best"):
            return self.of("promote" if f"{unit}/{artefact}" == PROMOTED else "summarize_study", {})
        rule = self._rules.get(artefact)
        return None if rule is None else self._job(rule, unit)

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job prepares; None if nothing did."""
        for slot, rule in self.plan.dataset_rules.items():
            if rule == job.rule:
                path = self.plan.dataset_paths[slot]
                return changed_images(Path(job.outputs[0]), path, self.plan.listings[path])
        return None

    @cached_property
    def _rules(self) -> dict[str, str]:
        """The rule that writes each artefact of a unit."""
        stages = (*self.plan.chain, "retrain_final", "measure_latency")
        artefacts = {artefact: stage for stage in stages for artefact in STAGES[stage].outputs.values()}
        pointers = {f"{slot}.json": rule for slot, rule in self.plan.dataset_rules.items()}
        return artefacts | pointers | {"suggestion.json": "suggest"}

    def _make_job(self, rule: str, unit: str) -> JobFacts:
        make: dict[str, Callable[[], tuple[str, Inputs, list[str]]]] = {
            "promote": self._promote,
            "summarize_study": self._summarize_study,
            "report": self._report,
            "export_best": self._export_best,
            "suggest": lambda: self._suggest(unit),
        }
        if rule in make:
            folder, inputs, outputs = make[rule]()
        elif rule in (rules := {rule: slot for slot, rule in self.plan.dataset_rules.items()}):
            folder, inputs, outputs = SHARED, {}, [f"{SHARED}/{rules[rule]}.json"]
        else:
            outputs = [f"{unit}/{artefact}" for artefact in STAGES[rule].outputs.values()]
            folder, inputs = unit, self.plan.inputs(rule, unit)
        run = self.plan.run
        identity = self._identity(rule, unit if rule == "retrain_final" else SHARED)
        return JobFacts(rule, f"{run}/{folder}", identity, inputs, [f"{run}/{path}" for path in outputs])

    def _make_identity(self, rule: str, unit: str) -> str:
        """Return a hash of the settings of a rule, which are the same for all units except repeated final trainings."""
        plan = self.plan
        special: dict[str, Callable[[], Any]] = {
            "promote": lambda: [plan.config.promote.top, plan.config.optimize.objectives],
            "suggest": lambda: [plan.study_settings(), STAGES["suggest"].version],
            "summarize_study": lambda: [
                plan.study_settings(),
                plan.val_images,
                plan.config.final.seeds,
                SUMMARY_VERSION,
            ],
            "export_best": lambda: [plan.config.dataset.num_train, EXPORT_VERSION],
            "report": lambda: [plan.study_settings(), plan.chain, REPORT_VERSION],
            "import_architecture": lambda: [plan.architecture, STAGES["import_architecture"].version],
            "import_supernet": lambda: [(plan.supernet or {}).get("digest"), STAGES["import_supernet"].version],
            "evaluate_inherited": lambda: STAGES["evaluate_inherited"].version,
        }
        if rule in special:
            return fingerprint(rule, special[rule]())
        for slot, name in plan.dataset_rules.items():
            if rule == name:
                return fingerprint("download_dataset", plan.source_settings(plan.dataset_paths[slot]))
        return fingerprint(rule, plan.settings(rule, unit), plan.latency_digest if "search" in rule else None)

    def _suggest(self, unit: str) -> tuple[str, Inputs, list[str]]:
        return unit, self.plan.observed(trial_number(unit) or 0), [f"{unit}/suggestion.json"]

    def _promote(self) -> tuple[str, Inputs, list[str]]:
        return "study", {"results": self._of_trials("result.json")}, [PROMOTED]

    def _summarize_study(self) -> tuple[str, Inputs, list[str]]:
        inputs = {
            "promotion": f"{self.plan.run}/{PROMOTED}",
            "results": self._of_trials("result.json"),
            "suggestions": self._of_trials("suggestion.json"),
            "finals": self._promoted("final.json", self.plan.config.final.seeds),
            "weights": self._promoted("final.safetensors"),
        }
        front = ["study/front.csv"] if len(self.plan.config.optimize.objectives) > 1 else []
        return "study", inputs, [*TABLES, *front]

    def _report(self) -> tuple[str, Inputs, list[str]]:
        run = self.plan.run
        inputs = {
            "manifest": self.plan.manifest(),
            "study": [f"{run}/study/best.json", f"{run}/study/trials.csv", f"{run}/{PROMOTED}"],
            "units": [path for path in self.plan.unit_files if not path.endswith(".safetensors")],
            "finals": self._promoted("history/retrain_final.csv"),
        }
        return "report", inputs, [path.removeprefix(f"{run}/") for path in self.plan.figures]

    def _export_best(self) -> tuple[str, Inputs, list[str]]:
        run = self.plan.run
        inputs = {
            "manifest": self.plan.inputs("retrain_final", "trial-0000")["manifest"],
            "best": f"{run}/study/best.json",
            "model": f"{run}/best/model.safetensors",
            "architectures": self._promoted_architectures(),
            "predictions": self._promoted("test_predictions.csv"),
        }
        return "study", inputs, [path.removeprefix(f"{run}/") for path in self.plan.exports.values()]

    def _of_trials(self, artefact: str) -> list[str]:
        return [f"{self.plan.run}/trial-{trial}/{artefact}" for trial in self.plan.trials]

    def _promoted(self, artefact: str, seeds: int = 1) -> list[str]:
        """Return the path of an artefact of every promoted trial; nothing before trials were promoted."""
        with suppress(*NOT_PROMOTED):
            return self.plan.promoted(f"{self.plan.run}/{PROMOTED}", artefact, seeds)
        return []

    def _promoted_architectures(self) -> list[str]:
        with suppress(*NOT_PROMOTED):
            return self.plan.promoted_architectures(f"{self.plan.run}/{PROMOTED}")
        return []

"""The plan of one study: the checked configuration, and where every artefact of the study lies.

The rules ask this plan for inputs, outputs, params and resources. The Snakefile imports this module, so it loads no
torch. It imports core, config, study and other modules of this room, but not Snakemake.
"""

import importlib.util
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, digest_of, read_json
from nasmake.core.records import SHARED, final_units, trial_and_repeat, trial_folder
from nasmake.data.preparing.listing import Listing
from nasmake.pipeline.conditions import with_conditions
from nasmake.pipeline.data_folders import listing_of, prepared_folder
from nasmake.pipeline.inputs import (
    read_imported_architecture,
    read_imported_supernet,
    read_own_operations,
    read_search_space,
)
from nasmake.pipeline.rule_functions import attempt_number
from nasmake.pipeline.searched import needs_latency
from nasmake.pipeline.stages import CHAIN, STAGES, chain_of, first_searched, settings_of, settings_of_job
from nasmake.pipeline.walltime import walltime
from nasmake.study.parameter_space import sampled_parameters

# The key of each folder of a data set, by the name of the file that holds the facts about the set.
FOLDER_KEYS = {
    "dataset": "dataset.path",
    "retrain_train": "dataset.retrain.train",
    "retrain_test": "dataset.retrain.test",
}
EXPORTS = {
    "card": "model_card.md",
    "program": "model.pt2",
    "architecture": "architecture.json",
    "picture": "architecture.svg",
    "preprocessing": "preprocessing.json",
}
ONNX_PACKAGES = ("onnx", "onnxscript")  # of the extra `onnx`


class Plan:
    """What the rules need to know of a study.

    Args:
        raw: the configuration as the user gave it.

    Attributes:
        config: the whole configuration, with all defaults.
        chain: the stages of a trial, in order.
        operations: file, checksum and names of nas.operations; None without it.
        architecture: content of the file that nas.architecture names; None if the study searches.
        search_space: name and content of the space file; None if the study does not search.
        supernet: files and digest of nas.supernet; None if the study imports no supernet.
        study: section `optimize`, with the conditions that the configuration implies.
        run: folder of the results.
        trials: numbers of the trials, with four digits.
        needs_latency: True if a search of this study uses latencies.
        latency_table: the file that latency.table names; None if it names none or the study needs no latencies.
        latency_digest: digest of that file.
        listings: the listing of the images in each folder of dataset_paths; None for a data set without images there.

    Raises:
        InputError: the configuration, or a file that it names, is wrong.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.config = config = load(raw)
        self.chain = chain_of(config)
        self.operations = read_own_operations(config)
        self.architecture = read_imported_architecture(config) if config.nas.architecture else None
        self.search_space = None if self.architecture else read_search_space(config)
        self.supernet = read_imported_supernet(config) if "import_supernet" in self.chain else None
        self.study = with_conditions(config)
        self.run = str(config.run_folder)
        self.trials = [f"{trial:04d}" for trial in range(config.optimize.trial_number)]
        self.needs_latency = self.architecture is None and needs_latency(config)
        self.latency_table = config.latency.table if self.needs_latency else None
        self.latency_digest = digest_of([Path(self.latency_table)]) if self.latency_table else None
        names = [parameter.name for parameter in sampled_parameters(self.study.parameters)]
        self.listings = {path: self._listing(name, path) for name, path in self.dataset_paths.items()}
        self._first_searched = first_searched(names, self.chain)

    @property
    def is_whole(self) -> bool:
        """True if a trial trains a supernet, searches it and retrains, which `make evidence` needs."""
        return self.chain == CHAIN

    @cached_property
    def latency(self) -> list[str]:
        """The latency table that this study measures; empty if the study needs no latencies or names a table."""
        return [f"{self.run}/{SHARED}/latency.json"] if self.needs_latency and not self.latency_table else []

    def folder_of(self, stage: str, unit: str) -> str:
        """Return the folder of a stage's results. Trials share the stages before the first one that differs."""
        is_shared = stage in self.chain and self.chain.index(stage) < self._first_searched
        return f"{self.run}/{SHARED if is_shared else unit}"

    def inputs(self, stage: str, unit: str) -> dict[str, Any]:
        """Return the inputs of a stage that decide its result, by name.

        They are artefacts of earlier stages, the facts about the data set, the suggestion of the trial, and the latency
        table if the study measures one.
        """
        unit, _ = trial_and_repeat(unit)
        folders = self.config.dataset.retrain
        images = {"search": None, "train": folders.train}
        paths: dict[str, Any] = {name: self._artefact(path, unit) for name, path in STAGES[stage].takes.items()}
        if (source := STAGES[stage].images) is not None:
            paths["manifest"] = self.manifest(images[source])
        if "test" in STAGES[stage].optional:
            paths["test"] = self.manifest(folders.test)
        if "latency" in STAGES[stage].optional and self.needs_latency:
            paths["latency"] = self.latency_table or self.latency[0]
        return paths | ({"suggestion": f"{self.run}/{unit}/suggestion.json"} if unit != SHARED else {})

    def outputs(self, stage: str, unit: str = "{unit}") -> dict[str, str]:
        """Return the outputs of a stage by name, by default with Snakemake's wildcard for the unit."""
        return {name: f"{self.run}/{unit}/{artefact}" for name, artefact in STAGES[stage].outputs.items()}

    def observed(self, trial: int) -> dict[str, str]:
        """Return the inputs of a suggestion: the previous suggestion, and the newest result that may be observed.

        A trial observes the results of all trials up to optimize.lag before it. The previous suggestion holds the older
        ones.
        """
        lag = self.config.optimize.trials_at_once
        files = {}
        if trial >= 1:
            files["previous"] = f"{self.run}/{trial_folder(trial - 1)}/suggestion.json"
        if trial >= lag:
            files["observed"] = f"{self.run}/{trial_folder(trial - lag)}/result.json"
        return files

    def promoted(self, promotion: str, artefact: str, seeds: int = 1) -> list[str]:
        """Return the path of an artefact in the folder of every trial that the file `promotion` names.

        Args:
            promotion: the file.
            artefact: path of the artefact in its folder.
            seeds: number of final trainings of each trial whose artefact is wanted.
        """
        trials = map(trial_folder, read_json(Path(promotion))["trials"])
        return [f"{self.run}/{unit}/{artefact}" for trial in trials for unit in final_units(trial, seeds)]

    def promoted_architectures(self, promotion: str) -> list[str]:
        """Return the architectures of the trials that the file `promotion` names: one file if all trials share it."""
        trials = map(trial_folder, read_json(Path(promotion))["trials"])
        return list(dict.fromkeys(self._artefact("architecture.json", trial) for trial in trials))

    @cached_property
    def unit_files(self) -> list[str]:
        """Every artefact of the trials."""
        return self._files_of_units()

    @cached_property
    def unit_targets(self) -> list[str]:
        """The first artefact of each job of the trials. The job runs again too if another of its artefacts is missing.

        Every further target costs Snakemake time in the plan of a large study.
        """
        return self._files_of_units(1)

    def _files_of_units(self, per_job: int | None = None) -> list[str]:
        """Return the first `per_job` artefacts of each job of the trials; None for all."""
        units = [f"trial-{trial}" for trial in self.trials]
        folders = {stage: sorted({self.folder_of(stage, unit) for unit in units}) for stage in self.chain}
        artefacts = [
            f"{folder}/{artefact}"
            for stage in self.chain
            for folder in folders[stage]
            for artefact in list(STAGES[stage].outputs.values())[:per_job]
        ]
        return [*artefacts, *(f"{self.run}/{unit}/suggestion.json" for unit in units), *self.latency]

    @property
    def figures(self) -> list[str]:
        """The figures of the report."""
        names = ["architecture.svg", "study.svg", "importances.svg", "learning_curves.svg"]
        if sampled_parameters(self.study.parameters):
            names.append("parallel_coordinates.svg")
        if self.architecture is None:
            names += ["tradeoff.svg", "search_progress.svg", "probabilities.svg"]
        return [f"{self.run}/report/{name}" for name in names]

    @property
    def exports(self) -> dict[str, str]:
        """What `export_best` writes beside the weights, by name; an ONNX model if its packages are installed."""
        has_onnx = all(importlib.util.find_spec(package) is not None for package in ONNX_PACKAGES)
        names = EXPORTS | ({"onnx": "model.onnx"} if has_onnx else {})
        return {name: f"{self.run}/best/{file}" for name, file in names.items()}

    def dataset(self, path: str | None = None) -> str:
        """Return the folder of the prepared data set whose source lies in `path`, by default dataset.path."""
        path = path or self.config.dataset.path
        return str(prepared_folder(self.config, self.listings[path], path))

    @cached_property
    def dataset_paths(self) -> dict[str, str]:
        """The folders of sources of the study, by the name of the file that holds the facts about the data set."""
        dataset = self.config.dataset
        paths = {"dataset": dataset.path, "retrain_train": dataset.retrain.train, "retrain_test": dataset.retrain.test}
        first = {path: name for name, path in reversed(paths.items()) if path is not None}
        return {name: path for path, name in reversed(first.items())}

    @cached_property
    def dataset_rules(self) -> dict[str, str]:
        """The rule that prepares each data set of the study, by the same names."""
        return {name: f"download_{name}" for name in self.dataset_paths}

    def manifest(self, path: str | None = None) -> str:
        """Return this run's copy of the facts about a prepared data set, which says where the arrays lie.

        The arrays are shared by all runs, so they are no output of a rule: Snakemake deletes the outputs of a job that
        fails.
        """
        names = {path: name for name, path in self.dataset_paths.items()}
        return f"{self.run}/{SHARED}/{names[path or self.config.dataset.path]}.json"

    def source_settings(self, path: str | None = None, **changes: str) -> str:
        """Return the settings that decide the bytes of a prepared data set, as JSON. The URL is not one of them.

        Args:
            path: folder of the source; None for dataset.path.
            changes: other values of settings, by name, for a data set that is no image folder.
        """
        stage = STAGES["download_dataset"]
        path = path or self.config.dataset.path
        dataset = settings_of(stage, self.config)["dataset"] | {"path": path}
        listing = None if changes else self.listings[path]
        images = {} if listing is None else {"listing": listing.digest}
        return canonical_json(dataset | changes | images | {"version": stage.version})

    def settings(self, stage: str, unit: str = SHARED) -> str:
        """Return the settings that the job of a stage receives, as JSON.

        Only those of repeated final trainings depend on the unit. The keys are sorted, because Snakemake compares
        params as text.
        """
        _, repeat = trial_and_repeat(unit)
        settings = settings_of_job(STAGES[stage], self.config, self.search_space, self.operations)
        return canonical_json(settings | ({"repeat": repeat} if repeat else {}))

    def study_settings(self) -> str:
        """Return the settings of the study as JSON, without the number of trials, so that a study can be extended."""
        return canonical_json(self.study.model_dump(mode="json", exclude={"trial_number"}))

    @property
    def val_images(self) -> int:
        """Number of val images on which the trials are scored; 0 if it depends on the classes that a search has."""
        dataset, is_restricted = self.config.dataset, self.config.dataset.num_search_classes is not None
        return 0 if is_restricted and self.config.nas.skip_retrain else dataset.num_data_architecture_search

    @property
    def threads(self) -> int:
        """Number of CPU threads of a training job, summed over its processes."""
        return self.config.trainer.num_threads * max(1, self.config.environment.gpus)

    def resources(self, stage: str) -> dict[str, Any]:
        """Return the resources of the rule of a stage that trains, searches or measures.

        Changing a Snakemake resource does not trigger a rerun, unlike changing a parameter.
        """
        trainer = self.config.trainer
        displays = {
            "bar": trainer.enable_progress_bar,
            "summary": trainer.enable_model_summary,
            "tensorboard": trainer.logger,
        }
        return {
            "gpu": self.config.environment.gpus,
            "accelerator": trainer.accelerator,
            "display": "+".join(name for name, is_enabled in displays.items() if is_enabled) or "lines",
            "mem_mb": 8000,
            "runtime": walltime(stage, self.config),
            "attempt": attempt_number,
        }

    def _listing(self, name: str, path: str) -> Listing | None:
        """Return the listing of the images in `path`; an error names the key of the folder."""
        try:
            return listing_of(self.config, path)
        except InputError as error:
            raise InputError(error.problem.removeprefix("dataset.path: "), FOLDER_KEYS[name]) from None

    def _artefact(self, artefact: str, unit: str) -> str:
        """Return the path of an artefact, in the folder of the last stage of the chain that writes it."""
        producer = next(stage for stage in reversed(self.chain) if artefact in STAGES[stage].outputs.values())
        return f"{self.folder_of(producer, unit)}/{artefact}"

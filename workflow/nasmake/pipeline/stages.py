"""The table of stages: which keys and artefacts each one reads and writes; and the chain of stages of one trial.

Rules, checks, fingerprints and the settings that a job receives follow from this table. The Snakefile imports this
module, so it loads no torch, lightning or optuna. It imports core and config.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from nasmake.config import Config
from nasmake.config.aiaccel import path_of
from nasmake.core.nested import assign, value_at

SEARCH_CLASSES = "dataset.num_search_classes"
NUM_TRAIN = "dataset.num_train"
# A stage receives these keys only if they have a value. Results of versions without such a key thus stay current.
OPTIONAL_KEYS = frozenset({NUM_TRAIN})
SPACE_KEY = "nas.search_space"  # a stage receives the content of the space file instead of this name

# All stages of a trial read these keys.
SHARED_KEYS = (
    "dataset.name",
    "dataset.num_data_architecture_search",
    NUM_TRAIN,
    "dataset.image_size",
    "dataset.crop_padding",
    "dataset.flip",
    "nas.seed",
    "trainer.precision",
    "trainer.num_threads",
)
# These keys decide which images are val images, and for which classes a supernet is trained.
SPLIT_KEYS = ("dataset.name", "dataset.num_data_architecture_search", NUM_TRAIN, SEARCH_CLASSES, "nas.seed")

# Older keys for nas.num_epochs_retrain. A loaded configuration keeps the number in that key, so no stage reads these.
RESOLVED_KEYS = frozenset({"retrain.num_epochs", "retrain.hyperparameters.num_epochs"})

SUPERNET = {"weights": "supernet.safetensors", "record": "supernet.json"}
SUPERNET_HISTORY = {"history": "history/train_supernet.csv"}
SEARCH = {
    "architecture": "architecture.json",
    "epochs": "history/search_architecture.csv",
    "evaluations": "history/evaluations.csv",
    "random_evaluations": "history/random_evaluations.csv",
    "probabilities": "history/probabilities.csv",
}


@dataclass(frozen=True)
class Stage:
    """One rule that computes a result.

    Attributes:
        version: raised when the meaning of the stage changes, so that Snakemake reruns the stage.
        reads: dotted keys that decide the result. The name of a section stands for all its keys.
        takes: artefacts of earlier stages, by the name of the input.
        outputs: artefacts in the folder of the unit, by the name of the output.
        optional: names of inputs that only some studies have.
        images: the data set that it reads: `search`, `train` (that of dataset.retrain.train if the study has one), or
            none.
        has_space: the stage receives the content of the space file.
        is_parallel: the work is shared by environment.gpus processes.
    """

    version: int
    reads: tuple[str, ...] = ()
    takes: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    images: Literal["search", "train"] | None = "search"
    has_space: bool = False
    is_parallel: bool = False


STAGES: Mapping[str, Stage] = {
    "download_dataset": Stage(
        version=1,
        reads=("dataset.name", "dataset.path", "dataset.sha256", "dataset.image_size", "dataset.channels"),
    ),
    "suggest": Stage(version=3),
    "train_supernet": Stage(
        version=3,
        reads=(*SHARED_KEYS, SEARCH_CLASSES, "supernet", "nas.num_epochs_supernet_train"),
        outputs=SUPERNET | SUPERNET_HISTORY,
        has_space=True,
        is_parallel=True,
    ),
    "import_supernet": Stage(version=1, outputs=SUPERNET),
    "measure_latency": Stage(
        version=1,
        reads=(
            *("latency.batch_size", "latency.runs", "latency.warmup"),
            *("nas.seed", "trainer.precision", "trainer.num_threads"),
        ),
        outputs={"latency": "latency.json"},
        has_space=True,
    ),
    "search_architecture": Stage(
        version=5,
        reads=(*SHARED_KEYS, SEARCH_CLASSES, "search", "nas.num_epochs_architecture_search"),
        takes={"supernet": SUPERNET["weights"], "record": SUPERNET["record"]},
        outputs=SEARCH,
        optional=("latency",),
        has_space=True,
        is_parallel=True,
    ),
    "search_supernet": Stage(
        version=3,
        reads=(*SHARED_KEYS, SEARCH_CLASSES, "supernet", "search", "nas.num_epochs_supernet_train"),
        outputs=SUPERNET | SUPERNET_HISTORY | SEARCH,
        optional=("latency",),
        has_space=True,
        is_parallel=True,
    ),
    "import_architecture": Stage(version=1, outputs={"architecture": SEARCH["architecture"]}),
    "retrain": Stage(
        version=1,
        reads=(*SHARED_KEYS, "retrain", "nas.num_epochs_retrain"),
        takes={"architecture": SEARCH["architecture"]},
        outputs={"weights": "model.safetensors", "result": "result.json", "history": "history/retrain.csv"},
        images="train",
        is_parallel=True,
    ),
    "evaluate_inherited": Stage(
        version=1,
        takes={"architecture": SEARCH["architecture"]},
        outputs={"result": "result.json"},
        images=None,
    ),
    "retrain_final": Stage(
        version=1,
        reads=(*SHARED_KEYS, "retrain", "nas.num_epochs_retrain", "final.num_epochs", "final.baseline"),
        takes={"architecture": SEARCH["architecture"], "result": "result.json"},
        outputs={
            "weights": "final.safetensors",
            "record": "final.json",
            "history": "history/retrain_final.csv",
            "predictions": "test_predictions.csv",
        },
        optional=("test",),
        images="train",
        is_parallel=True,
    ),
}

CHAIN = ("train_supernet", "search_architecture", "retrain")
CHAIN_SIMULTANEOUS = ("search_supernet", "retrain")  # nas.type: simultaneous
CHAIN_WITHOUT_SEARCH = ("import_architecture", "retrain")  # nas.architecture


def chain_of(config: Config) -> tuple[str, ...]:
    """Return the stages of one trial, in order."""
    chain: tuple[str, ...] = CHAIN_SIMULTANEOUS if config.nas.type == "simultaneous" else CHAIN
    if config.nas.architecture is not None:
        chain = CHAIN_WITHOUT_SEARCH
    replaced = {"train_supernet": "import_supernet"} if config.nas.supernet is not None else {}
    replaced |= {"retrain": "evaluate_inherited"} if config.nas.skip_retrain else {}
    return tuple(replaced.get(stage, stage) for stage in chain)


def stage_of(name: str, chain: Sequence[str] = CHAIN) -> str | None:
    """Return the first stage of the chain that reads a searched hyperparameter; None if no stage reads it."""
    path = path_of(name)
    return next((stage for stage in chain if reads(STAGES[stage], path)), None)


def first_searched(names: Iterable[str], chain: Sequence[str] = CHAIN) -> int:
    """Return the index of the first stage that differs between trials. The last stage always does."""
    stages = [stage_of(name, chain) for name in names]
    return min((chain.index(stage) for stage in stages if stage is not None), default=len(chain) - 1)


def settings_of(stage: Stage, config: Config) -> dict[str, Any]:
    """Return the keys that decide what a stage computes, as nested mappings, and nothing else."""
    everything = config.model_dump(mode="json")
    for path in RESOLVED_KEYS:
        assign(everything, path, None)
    settings: dict[str, Any] = {}
    for path in stage.reads:
        value = value_at(everything, path)
        if value is not None or path not in OPTIONAL_KEYS:
            assign(settings, path, value)
    return settings


def settings_of_job(
    stage: Stage,
    config: Config,
    search_space: Mapping[str, Any] | None,
    operations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the job of a stage receives: its settings, its version and the search space if it has one.

    A stage that reads an architecture receives what is known of the file nas.operations; a search space contains it. If
    several processes share the work, their number is one of the settings, because it changes the bytes.
    """
    settings = settings_of(stage, config) | {"version": stage.version}
    if stage.has_space and search_space is not None:
        settings["search_space"] = search_space
    if operations is not None and "architecture" in stage.takes:
        settings["operations"] = operations
    if stage.is_parallel and config.environment.gpus > 1:
        settings["processes"] = config.environment.gpus
    return settings


def with_parameters(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `settings` with the hyperparameters of a trial. Hyperparameters of other stages are left out."""
    changed = deepcopy(dict(settings))
    for name, value in parameters.items():
        path = path_of(name)
        if value_at(settings, path, missing := object()) is not missing:
            assign(changed, path, value)
    return changed


def reads(stage: Stage, path: str) -> bool:
    """Return True if a key decides what the stage computes. nas.search_space decides it through the space file."""
    keys = (*stage.reads, *([SPACE_KEY] if "supernet" in stage.reads else []))
    return any(path == key or path.startswith(f"{key}.") for key in keys)

"""The configuration: typed models with the predecessor's section and key names, and errors of one line.

Imported by the Snakefile, so it must load fast: no torch, lightning or optuna here.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from nasmake.artifacts import InputError
from nasmake.evidence.settings import Evidence
from nasmake.messages import nearest, one_line
from nasmake.optimize import Optimize
from nasmake.predecessor import path_of, with_sections
from nasmake.search_section import Search
from nasmake.sections import Count, FilePath, Fraction, NotNegative, Positive, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]  # part of a path

OPTIMIZERS = Literal["MomentumSGD", "NAG", "RMSprop", "Adam", "AMSGrad", "NAdam", "AdamW"]
SCHEDULERS = Literal["MultiStep", "Linear", "Exponential", "Cosine"]
NO_GROUP = "[group]"  # the predecessor's placeholder
DATASETS = Literal["digits", "digits_canvas", "cifar10", "cifar100", "imagenet", "image_folder"]


class DatasetRetrain(Section):
    """Where the same data set lies for retraining."""

    train: FilePath | None = Field(None, description="folder of the images to train on; null: dataset.path")
    test: FilePath | None = Field(None, description="folder of the images of the test; null: dataset.path")


class Dataset(Section):
    """The data, and how its training part is divided."""

    name: DATASETS = Field("cifar10", description="the data set; imagenet and image_folder lie in dataset.path")
    path: FilePath = Field("resources/datasets", description="folder of prepared data sets and archives")
    num_data_architecture_search: Count = Field(
        10000, description="images held out as val: the score of the search and of the trials"
    )
    num_search_classes: Count | None = Field(
        None,
        description="classes, drawn by the seed, in supernet training and search; limits are on the network for all "
        "classes, which retraining trains; null: all",
    )
    image_size: Count | None = Field(None, description="edge in pixels; needed for image_folder; null: of imagenet 224")
    crop_padding: Annotated[int, Field(ge=0)] | None = Field(
        None, description="random crop after padding by this many pixels; null: 4, for digits 1, for imagenet 0"
    )
    flip: bool | None = Field(None, description="random horizontal flip in training; null: true, for digits false")
    url: str | None = Field(None, description="mirror of a CIFAR archive (http, https, file); needs dataset.sha256")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="checksum of the archive, instead of the built-in one"
    )

    retrain: DatasetRetrain = Field(default_factory=DatasetRetrain, description="data of the retraining")

    @model_validator(mode="after")
    def _consistent(self) -> "Dataset":
        digits = self.name.startswith("digits")
        if self.crop_padding is None:
            self.crop_padding = {"imagenet": 0}.get(self.name, 1 if digits else 4)
        if self.flip is None:
            self.flip = not digits
        if self.url is not None and self.sha256 is None:
            raise ValueError(
                f"url: {self.url!r} has no checksum; add dataset.sha256 (of the file: `shasum -a 256 FILE`)"
            )
        if self.url is not None and not self.url.startswith(("http://", "https://", "file://")):
            raise ValueError(f"url: {self.url!r} must begin with http://, https:// or file://")
        if self.name == "imagenet":
            self.image_size = self.image_size or 224
            if self.crop_padding:
                raise ValueError(f"crop_padding: {self.crop_padding}: imagenet has crops of its own; set null")
        elif (self.name == "image_folder") != (self.image_size is not None):
            need = (
                "is needed for image_folder; for example 32"
                if self.image_size is None
                else "is for image_folder and imagenet only"
            )
            raise ValueError(f"image_size: {self.image_size} {need}")
        return self


class Environment(Section):
    """The machine."""

    result_dir: FilePath = Field("results", description="folder of the results; a run has its own folder in it")
    gpus: Annotated[int, Field(ge=0)] = Field(
        1, description="GPUs of a training job, a process for each; above 1 so many processes on the CPU too"
    )
    device_ids: list[int] | None = Field(
        None, description="GPUs to choose from, as many as gpus or more, by their numbers on the node; null: all"
    )
    num_workers: Annotated[int, Field(ge=0)] = Field(
        0, description="loader processes of a job, for imagenet; the other sets are held in memory"
    )

    @model_validator(mode="after")
    def _enough_devices(self) -> "Environment":
        if self.device_ids is not None and len(set(self.device_ids)) < self.gpus:
            raise ValueError(
                f"device_ids: {self.device_ids} are fewer than environment.gpus: {self.gpus}; name as many, or null"
            )
        return self


class Nas(Section):
    """The search as a whole."""

    search_space: Name = Field(
        "proxyless", description="first part of the space file's name, config_<this>_<data>.yaml"
    )
    search_space_config_path: FilePath = Field(
        "config/search_spaces", description="folder where the space file is looked up"
    )
    supernet: FilePath | None = Field(
        None, description="supernet that is taken instead of training one: a supernet.safetensors of another run"
    )
    architecture: FilePath | None = Field(
        None, description="network that is taken instead of searching one: a name in config/architectures, or a file"
    )
    seed: Annotated[int, Field(ge=0)] = Field(42, description="seed of every stage")
    type: Literal["separate", "simultaneous"] = Field(
        "separate", description="search after supernet training, or simultaneous: steps of both in turn, in one stage"
    )
    num_epochs_supernet_train: Count = Field(60, description="epochs of supernet training; simultaneous: of both")
    num_epochs_architecture_search: Count = Field(
        20, description="separate: epochs of search.population_size evaluations"
    )
    num_epochs_retrain: Count | None = Field(60, description="epochs of retraining from scratch; wins over the others")
    skip_train: bool = Field(False, description="leave supernet training out: needs supernet, which alone is enough")
    skip_architecture_search: bool = Field(
        False, description="leave supernet training and search out: needs architecture, which alone is enough"
    )
    skip_retrain: bool = Field(
        False,
        description="leave the retraining of the trials out: their objective is the val accuracy of the found network "
        "with inherited weights; promoted networks are trained and tested as always",
    )

    @property
    def taken(self) -> str | None:
        """The name of `architecture`, as a folder can have it."""
        file = self.architecture and PurePath(self.architecture).name.removesuffix(".json")
        return file and re.sub(r"[^A-Za-z0-9_.-]|^[.-]", "_", file)


class Optimizer(Section):
    """What the optimizers read; each names its readers."""

    optimizer: OPTIMIZERS = Field("MomentumSGD", description="update rule")
    lr: Positive = Field(0.05, description="peak learning rate")
    weight_decay: NotNegative = Field(4e-5, description="L2 penalty (AdamW: decoupled)")
    momentum: Fraction = Field(0.9, description="MomentumSGD, NAG, RMSprop")
    dampening: Fraction = Field(0.0, description="MomentumSGD")
    smoothing: Fraction = Field(0.99, description="RMSprop")
    beta1: Fraction = Field(0.9, description="Adam, AMSGrad, NAdam, AdamW")
    beta2: Fraction = Field(0.999, description="Adam, AMSGrad, NAdam, AdamW")
    eps: Positive = Field(1e-8, description="RMSprop, Adam, AMSGrad, NAdam, AdamW")
    momentum_decay: Fraction = Field(0.004, description="NAdam")


class Scheduler(Section):
    """Learning rate over the epochs, changed at every step."""

    scheduler: SCHEDULERS = Field("Cosine", description="shape after the warm-up")
    warmup_epochs: NotNegative = Field(1, description="linear from lr/3 to lr")
    milestone_start: NotNegative = Field(30, description="MultiStep: epoch of the first drop")
    milestone_step: Positive = Field(30, description="MultiStep: epochs between drops")
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="MultiStep: factor a drop; Exponential: an epoch"
    )
    start_factor: Fraction = Field(1 / 3, description="Linear: factor at the start")
    end_factor: Fraction = Field(1.0, description="Linear: factor after total_epochs")
    total_epochs: Count = Field(5, description="Linear: epochs from start_factor to end_factor")


class Supernet(Scheduler, Optimizer):
    """Supernet training. Defaults: ProxylessNAS (arXiv 1812.00332), appendix and code."""

    batch_size: Count = Field(256, description="images per step")
    weight_sharing: Literal["sliced", "separate"] = Field(
        "sliced",
        description="sliced: widths and expansions share weights; separate: each candidate has its own (ProxylessNAS)",
    )
    sampler: Literal["uniform", "fair", "sandwich", "asng"] | None = Field(
        None,
        description="how paths are drawn: uniform (SPOS, arXiv 1904.00420), fair (FairNAS, arXiv 1907.01845), "
        "sandwich with distillation (arXiv 1903.05134), asng (simultaneous: from the distribution that is searched); "
        "null: uniform, simultaneous: asng",
    )
    paths_per_step: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="paths whose gradients are averaged in a step; sandwich: 1 and 2 mean 4; "
        "fair: as many as the largest decision has options, whatever stands here",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="mass spread over the other classes")
    gradient_clip: Positive | None = Field(5.0, description="largest norm of the gradient; null: no limit")


class Latency(Section):
    """The table of latencies that a limit on latency needs."""

    table: FilePath | None = Field(
        None, description="file of an earlier measurement, here or on another machine; null: measured when needed"
    )
    batch_size: Count = Field(1, description="images of a timed forward pass")
    runs: Annotated[int, Field(ge=50)] = Field(50, description="timed passes of each piece; the median counts")
    warmup: Annotated[int, Field(ge=1)] = Field(3, description="untimed passes before every ten timed ones")


class RetrainHyperparameters(Section):
    """The predecessor's keys."""

    base_lr: Positive = Field(0.05, description="peak learning rate")
    batch_size: Count = Field(64, description="images per step")
    momentum: Fraction = Field(0.9, description="momentum of SGD")
    weight_decay: NotNegative | None = Field(None, description="L2 penalty; null: retrain.weight_decay")
    num_epochs: Count | None = Field(None, description="epochs, where nas.num_epochs_retrain is null")


class Retrain(Section):
    """Training the found network from scratch."""

    hyperparameters: RetrainHyperparameters = Field(default_factory=RetrainHyperparameters, description="SGD")
    num_epochs: Count | None = Field(None, description="epochs, where the other two are null")
    weight_decay: NotNegative = Field(4e-5, description="L2 penalty")
    nesterov: bool = Field(True, description="Nesterov momentum, where momentum is above 0")
    warmup_epochs: NotNegative = Field(5, description="linear from base_lr/3 to base_lr; then cosine to 0")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="mass spread over the other classes")
    gradient_clip: Positive | None = Field(5.0, description="largest norm of the gradient; null: no limit")
    cutout_length: Count | None = Field(
        None, description="edge in pixels of the square that is blanked in each image (arXiv 1708.04552); null: none"
    )
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="the network that counts is the moving average of the weights, of this decay; null: the last"
    )
    decay_norm_and_bias: bool = Field(
        True, description="weight decay on BatchNorm and biases too; false: on the other weights only (ProxylessNAS)"
    )


class Trainer(Section):
    """What goes to lightning.Trainer, and the number of threads."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="auto: CUDA, else MPS, else CPU; checked when a job starts"
    )
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = Field(
        "auto", description="all the same: environment.gpus processes, each with its part of every batch"
    )
    precision: Literal["32-true", "bf16-mixed"] = Field("32-true", description="arithmetic of the training steps")
    num_threads: Count = Field(1, description="CPU threads of a job; part of the result: another number, other bits")
    enable_progress_bar: bool = Field(False, description="Lightning's bar, where the output is a terminal")
    enable_model_summary: bool = Field(False, description="Lightning's table of modules at the start of a stage")
    logger: bool = Field(
        False,
        description="event files of TensorBoard, where it is installed, in <unit>/tensorboard; histories stay",
    )

    @model_validator(mode="before")
    @classmethod
    def _ours_to_decide(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name in set(values) - set(cls.model_fields):
            hint = nearest(str(name), cls.model_fields)
            raise ValueError(f"{name}: unknown key; {hint} (other arguments of lightning.Trainer are not for choice)")
        strategy = str(values.get("strategy"))
        if strategy not in get_args(cls.model_fields["strategy"].annotation) and strategy.startswith("ddp"):
            raise ValueError(
                f"strategy: {strategy!r} is not allowed: its processes are no copies of one command, so a stage could "
                "not resume exactly; allowed: auto, ddp, ddp_find_unused_parameters_true"
            )
        return values


class Promote(Section):
    """Which trials go on."""

    top: Count = Field(
        1, description="trials, best val accuracy first, whose networks are trained on all data and tested"
    )


class Final(Section):
    """Training of promoted networks on train and val together, and the test."""

    num_epochs: Count | None = Field(None, description="epochs; null: as in retraining")
    baseline: bool = Field(False, description="also fit logistic regression on the same images (small sets)")


class Resource(Section):
    """The predecessor's scheduler keys; profiles have taken their place."""

    type: str = Field("local", description="no effect: choose a profile")
    num_node: Count = Field(4, description="trials that can run at once: what optimize.lag is, where that is null")


class Abci(Section):
    """ABCI."""

    group: str = Field(NO_GROUP, description="group that pays (qsub -P); ABCI_GROUP in the environment wins")
    job_script_preamble: FilePath | None = Field(
        None, description="file whose commands (module load, ...) begin every job on a cluster"
    )
    job_execution_options: str = Field("", description="no effect in this version")


class Config(Section):
    """The whole configuration."""

    run: Name | None = Field(
        None, description="folder of the results; null: <search_space>_<dataset>, or <architecture>_<dataset>"
    )
    dataset: Dataset = Field(default_factory=Dataset, description="data set and split")
    environment: Environment = Field(default_factory=Environment, description="machine")
    nas: Nas = Field(default_factory=Nas, description="search as a whole")
    supernet: Supernet = Field(default_factory=Supernet, description="supernet training")
    search: Search = Field(default_factory=Search, description="architecture search")
    latency: Latency = Field(default_factory=Latency, description="measured latency")
    retrain: Retrain = Field(default_factory=Retrain, description="retraining from scratch")
    trainer: Trainer = Field(default_factory=Trainer, description="lightning.Trainer")
    optimize: Optimize = Field(default_factory=Optimize, description="study over hyperparameters")
    promote: Promote = Field(default_factory=Promote, description="trials that are trained on all data")
    final: Final = Field(default_factory=Final, description="final retraining and test")
    evidence: Evidence = Field(default_factory=Evidence, description="does the search work: snakemake evidence")
    resource: Resource = Field(default_factory=Resource, description="predecessor's scheduler keys")
    ABCI: Abci = Field(default_factory=Abci, description="ABCI")
    generic: dict[str, Any] = Field(default_factory=dict, description="predecessor's job keys: no effect")

    @model_validator(mode="after")
    def _resolved(self) -> "Config":
        if self.run is None:
            self.run = f"{self.nas.taken or self.nas.search_space}_{self.dataset.name}"
        alternating = self.nas.type == "simultaneous"
        of_asng = {"search.alpha", "search.epsilon"} & {path_of(own.name) for own in self.optimize.parameters}
        self.search.algorithm = self.search.algorithm or ("asng" if alternating or of_asng else "evolution")
        self.supernet.sampler = self.supernet.sampler or ("asng" if alternating else "uniform")
        lengths = (self.nas.num_epochs_retrain, self.retrain.hyperparameters.num_epochs, self.retrain.num_epochs)
        self.nas.num_epochs_retrain = next((n for n in lengths if n is not None), 60)
        self.optimize.lag = self.optimize.lag or self.resource.num_node
        if self.trainer.accelerator == "mps" and self.environment.gpus > 1:
            raise ValueError(f"environment.gpus: {self.environment.gpus}: a Mac has one GPU; set 1")
        if not self.optimize.parameters and self.optimize.trial_number > 1:
            raise ValueError(
                "optimize.parameters: nothing is searched, so all trials are equal; set optimize.trial_number: 1"
            )
        return self


def load(raw: Mapping[str, Any]) -> Config:
    """Check a configuration and fill in its defaults.

    Raises:
        InputError: one line with the key's path, its value, what is allowed and the nearest valid key.
    """
    try:
        return Config.model_validate(with_sections(raw))
    except ValidationError as error:
        raise InputError(f"config: {one_line(error, Config)}") from None


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Dotted paths of all keys that hold values."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

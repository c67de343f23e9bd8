"""Section `supernet`: supernet training, its optimizer and its learning rate."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from nasmake.config.base import Count, Decay, Epochs, Fraction, NotNegative, Positive, Rate, Section

OPTIMIZERS = Literal["MomentumSGD", "NAG", "RMSprop", "Adam", "AMSGrad", "NAdam", "AdamW"]
SCHEDULERS = Literal["MultiStep", "Linear", "Exponential", "Cosine"]

# Keys that an optimizer reads beside lr and weight_decay. build_optimizer shows it no others.
_ADAPTIVE = ("beta1", "beta2", "eps")
OPTIMIZER_READS: Mapping[str, tuple[str, ...]] = {
    "MomentumSGD": ("momentum", "dampening"),
    "NAG": ("momentum",),
    "RMSprop": ("momentum", "smoothing", "eps"),
    "Adam": _ADAPTIVE,
    "AMSGrad": _ADAPTIVE,
    "NAdam": (*_ADAPTIVE, "momentum_decay"),
    "AdamW": _ADAPTIVE,
}
# Keys that the shape of the learning rate reads beside warmup_epochs. schedules.factor shows it no others.
SCHEDULER_READS: Mapping[str, tuple[str, ...]] = {
    "MultiStep": ("milestone_start", "milestone_step", "gamma"),
    "Linear": ("start_factor", "end_factor", "total_epochs"),
    "Exponential": ("gamma",),
    "Cosine": (),
}


class Optimizer(Section):
    """Hyperparameters of the optimizers. Each description begins with the optimizers that read the key."""

    optimizer: OPTIMIZERS = Field("MomentumSGD", description="optimizer of the weights")
    lr: Rate = Field(0.05, description="peak learning rate")
    weight_decay: Decay = Field(4e-5, description="factor of the L2 penalty; AdamW: of the decoupled weight decay")
    momentum: Fraction = Field(0.9, description="MomentumSGD, NAG, RMSprop: momentum")
    dampening: Fraction = Field(0.0, description="MomentumSGD: dampening of the momentum")
    smoothing: Fraction = Field(0.99, description="RMSprop: decay of the average of squared gradients")
    beta1: Fraction = Field(0.9, description="Adam, AMSGrad, NAdam, AdamW: decay of the average of gradients")
    beta2: Fraction = Field(0.999, description="Adam, AMSGrad, NAdam, AdamW: decay of the average of squared gradients")
    eps: Positive = Field(
        1e-8, description="RMSprop, Adam, AMSGrad, NAdam, AdamW: number added to the denominator of the update"
    )
    momentum_decay: Fraction = Field(0.004, description="NAdam: decay of the momentum")


class Scheduler(Section):
    """The learning rate, which changes at every step."""

    scheduler: SCHEDULERS = Field("Cosine", description="shape of the learning rate after the warm-up")
    warmup_epochs: NotNegative = Field(
        1, description="number of epochs in which the rate rises linearly from lr/3 to lr"
    )
    milestone_start: NotNegative = Field(30, description="MultiStep: epoch of the first drop")
    milestone_step: Positive = Field(30, description="MultiStep: number of epochs between two drops")
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="factor of the learning rate; MultiStep: at every drop; Exponential: at every epoch"
    )
    start_factor: Fraction = Field(1 / 3, description="Linear: factor of the learning rate at the start")
    end_factor: Fraction = Field(1.0, description="Linear: factor of the learning rate from epoch total_epochs on")
    total_epochs: Epochs = Field(5, description="Linear: number of epochs between start_factor and end_factor")


class Supernet(Scheduler, Optimizer):
    """Supernet training. The defaults are those of ProxylessNAS (arXiv 1812.00332, appendix, and its code)."""

    batch_size: Count = Field(256, description="number of images in a training step")
    weight_sharing: Literal["sliced", "separate", "elastic"] = Field(
        "sliced",
        description="sliced: candidates of different width or expansion share weights; separate: each candidate has "
        "its own weights, as in ProxylessNAS; elastic: as sliced, and a small kernel is the centre of the large one "
        "times a learned matrix, as in once-for-all (arXiv 1908.09791)",
    )
    sampler: Literal["uniform", "fair", "sandwich", "asng"] | None = Field(
        None,
        description="how paths are drawn; uniform: SPOS (arXiv 1904.00420); fair: FairNAS (arXiv 1907.01845); "
        "sandwich: with distillation (arXiv 1903.05134); asng: from the distribution that a simultaneous search "
        "learns; null: asng if nas.type is simultaneous, else uniform",
    )
    paths_per_step: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="number of paths whose gradients are averaged in a step; sampler sandwich uses 4 paths for the "
        "values 1 and 2: the largest, the smallest and two random ones; sampler fair ignores this key and uses as many "
        "paths as the largest decision has options",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="part of the target probability that is spread evenly over all classes, also the right one"
    )
    gradient_clip: Positive | None = Field(5.0, description="largest norm of the gradient; null: no limit")

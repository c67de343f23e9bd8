"""Section `supernet`: supernet training, its optimizer and its learning rate."""

from typing import Annotated, Literal

from pydantic import Field

from nasmake.config.base import Count, Fraction, NotNegative, Positive, Section

OPTIMIZERS = Literal["MomentumSGD", "NAG", "RMSprop", "Adam", "AMSGrad", "NAdam", "AdamW"]
SCHEDULERS = Literal["MultiStep", "Linear", "Exponential", "Cosine"]


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

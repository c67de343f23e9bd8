"""Section `retrain`: training of the best network from scratch."""

from typing import Annotated

from pydantic import Field

from nasmake.config.base import Count, Decay, Epochs, Fraction, NotNegative, Positive, Rate, Section


class RetrainHyperparameters(Section):
    """The keys of aiaccel's section `retrain.hyperparameters`."""

    base_lr: Rate = Field(0.05, description="peak learning rate")
    batch_size: Count = Field(64, description="number of images in a training step")
    momentum: Fraction = Field(0.9, description="momentum of SGD")
    weight_decay: Decay | None = Field(None, description="factor of the L2 penalty; null: retrain.weight_decay")
    num_epochs: Epochs | None = Field(None, description="number of epochs, if nas.num_epochs_retrain is null")


class Retrain(Section):
    """Training of the best network from scratch."""

    hyperparameters: RetrainHyperparameters = Field(
        default_factory=RetrainHyperparameters, description="hyperparameters of SGD"
    )
    num_epochs: Epochs | None = Field(
        None,
        description="number of epochs, if nas.num_epochs_retrain and retrain.hyperparameters.num_epochs are null",
    )
    weight_decay: Decay = Field(4e-5, description="factor of the L2 penalty")
    nesterov: bool = Field(True, description="use Nesterov momentum if momentum is above 0")
    warmup_epochs: NotNegative = Field(
        5, description="number of epochs in which the rate rises linearly from base_lr/3; a cosine to 0 follows"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="part of the target probability that is spread evenly over all classes, also the right one"
    )
    gradient_clip: Positive | None = Field(5.0, description="largest norm of the gradient; null: no limit")
    cutout_length: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="edge in pixels of the square that cutout blanks in each image (arXiv 1708.04552); null: none"
    )
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="decay of the moving average of the weights, which then replaces the last weights; null: no "
        "average",
    )
    decay_norm_and_bias: bool = Field(
        True,
        description="apply weight decay to BatchNorm parameters and biases too; false: only to the other weights, as "
        "in ProxylessNAS",
    )

"""Section `retrain`: training from scratch."""

from typing import Annotated

from pydantic import Field

from nasmake.config.base import Count, Fraction, NotNegative, Positive, Section


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

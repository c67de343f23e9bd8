"""The names of Lightning that the engine uses, imported without torchmetrics.

Other modules import Lightning's names from here. This module may import core and `engine.no_torchmetrics`.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.engine.no_torchmetrics import no_torchmetrics

with no_torchmetrics():
    from lightning.fabric.plugins import TorchCheckpointIO
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Checkpoint

__all__ = ["Checkpoint", "LightningModule", "TorchCheckpointIO", "Trainer", "silence_lightning", "tensorboard"]


def tensorboard(folder: Path, name: str) -> Any:
    """Return the Lightning logger that writes event files into `folder`/`name`.

    Raises:
        InputError: TensorBoard is not installed.
    """
    from lightning.pytorch.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder, name=name, version="")
    except ModuleNotFoundError:
        raise InputError(
            "trainer.logger is true; expected false, since TensorBoard is not installed; type: pip install tensorboard"
        ) from None


def silence_lightning() -> None:
    """Silence the messages that Lightning prints at every start, so that a log holds one line per epoch."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*configure_optimizers.*returned `None`.*",
        ".*srun.*",
        ".*LeafSpec.*",
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*have no `val_dataloader`.*",
    ):
        warnings.filterwarnings("ignore", message=message)

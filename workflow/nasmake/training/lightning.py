"""Lightning's names, imported in the one order that works beside every build of torch.

torchvision's wheels for Linux on PyPI are compiled against CUDA. Beside a CPU build of torch their compiled part does
not load, and `import torchvision` (which Lightning's metrics package does) ends in "operator torchvision::nms does not
exist", though nothing compiled is needed here. Declaring the two operators it asks for makes the import work.
"""

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from nasmake.artifacts import InputError


def _load_torchvision_operators() -> torch.library.Library | None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return None
    compiled = next(Path(spec.submodule_search_locations[0]).glob("_C*.so"), None)
    try:
        torch.ops.load_library(str(compiled))
        return None
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library


_operators = _load_torchvision_operators()  # the declarations live as long as this object

from lightning.fabric.plugins import TorchCheckpointIO  # noqa: E402
from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402
from lightning.pytorch.callbacks import Checkpoint  # noqa: E402

__all__ = ["Callback", "Checkpoint", "LightningModule", "TorchCheckpointIO", "Trainer", "quiet", "torchvision"]


def torchvision() -> Any:
    """The package torchvision."""
    import torchvision

    return torchvision


def tensorboard(folder: Path, name: str) -> Any:
    """Lightning's logger that writes event files into `folder`/`name`.

    Raises:
        InputError: TensorBoard is not installed.
    """
    from lightning.pytorch.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder, name=name, version="")
    except ModuleNotFoundError:
        raise InputError(
            "trainer.logger: true: TensorBoard is not installed; type: pip install tensorboard, or set false"
        ) from None


def quiet() -> None:
    """Silence what Lightning says at every start, so that a log holds one line per epoch."""
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

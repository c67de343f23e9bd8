"""The classes of image files, by the exported network of a study.

This module may import core, and the parts of data that decode images.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasmake.core.errors import InputError, cut
from nasmake.data.loading.image_files import central_window
from nasmake.data.preparing.decode import decode_all, read_window
from nasmake.data.preparing.image_folder import UnreadableImagesError
from nasmake.data.preprocessing import ExportedPreprocessing, read_preprocessing

BATCH = 64  # images


def predict(folder: Path, paths: Sequence[Path]) -> tuple[list[str], Tensor]:
    """Return the names of the classes, and their probabilities for each image, float32 [N, classes].

    Args:
        folder: with model.pt2 and preprocessing.json.
        paths: N image files of any size.

    Raises:
        InputError: the folder holds no exported network, or an image cannot be read.
    """
    program = folder / "model.pt2"
    if not program.is_file():
        raise InputError(f"--model: {program}: no such file; expected the folder `best` of a finished run")
    facts = read_preprocessing(folder / "preprocessing.json")
    try:
        network = torch.export.load(program).module()
    except Exception as error:  # torch raises exceptions of many types for damaged files
        raise InputError(f"{program}: not a program of torch.export ({cut(str(error), 200)})") from None
    with torch.no_grad():
        batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
        return facts.classes, torch.cat([network(load_images(batch, facts)).softmax(1) for batch in batches])


def load_images(paths: Sequence[Path], facts: ExportedPreprocessing) -> Tensor:
    """Return image files as the network takes them, float32 [N, C, H, W].

    Raises:
        InputError: an image cannot be read.
    """
    return normalised(torch.from_numpy(_pixels(paths, facts)), facts)


def normalised(pixels: Tensor, facts: ExportedPreprocessing) -> Tensor:
    """Return images as the network takes them, float32 [N, C, H, W]; `pixels` are uint8 [N, H, W, C]."""
    mean, std = torch.tensor(facts.mean), torch.tensor(facts.std)
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)


def _pixels(paths: Sequence[Path], facts: ExportedPreprocessing) -> NDArray[np.uint8]:
    """Return image files as uint8 [N, H, W, C], decoded as those of the data set were."""
    try:
        if facts.resize.interpolation == "bicubic":
            return decode_all(paths, facts.image_size, facts.channels)
        return np.stack([np.asarray(read_window(path, facts.image_size, central_window)) for path in paths])
    except UnreadableImagesError as error:
        raise InputError(error.problems[0]) from None
    except Exception as error:  # decoders raise exceptions of many types for damaged files
        raise InputError(f"{paths[0]} or another image cannot be read ({cut(str(error), 200)})") from None

"""ImageNet in the layout of its archives: `train/<wnid>/*.JPEG` and `val/<wnid>/*.JPEG`.

The images stay where they are; only their paths are prepared.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.image_folder import list_images

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, from torchvision's training recipes
TEST = "val"  # the official validation set: the labels of the official test set are not public


def make_imagenet(settings: Mapping[str, Any]) -> DataSet:
    """Return the paths of the images below `dataset.path`, as bytes [N]. No image is opened.

    Args:
        settings: `path` and `image_size` of section `dataset`.

    Raises:
        InputError: the folders do not have the layout above.
    """
    root, size = Path(settings["path"]), settings["image_size"]
    folders = list_images(root, TEST)
    classes = list(folders["train"])
    splits = []
    for folder in ("train", "test"):
        images = [(path, classes.index(name)) for name, paths in folders[folder].items() for path in paths]
        paths = np.array([str(path.relative_to(root)).encode() for path, _ in images], dtype=np.bytes_)
        splits.append(Split(paths, np.array([label for _, label in images], dtype=np.int64)))
    stored = {"image_shape": [size, size, 3], "mean": list(MEAN), "std": list(STD), "stored": "image folders"}
    train, test = splits
    return DataSet(classes, train, test, {"image_size": size}, stored)

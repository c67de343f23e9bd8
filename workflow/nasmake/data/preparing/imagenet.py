"""ImageNet as its archives give it: `train/<wnid>/*.JPEG` and `val/<wnid>/*.JPEG`; the images stay where they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.image_folder import Listing, list_images

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, as torchvision's recipes have them
TEST = "val"  # the official validation set: the labels of the official test set are not public


def make_imagenet(settings: Mapping[str, Any]) -> DataSet:
    """The paths of the images below `dataset.path`, as bytes [N]; no image is opened.

    Raises:
        InputError: the folders are not as they should be.
    """
    root, size = Path(settings["path"]), settings["image_size"]
    splits = list_images(root, TEST)
    classes = list(splits["train"])
    train, test = (_split(splits[name], root, classes) for name in ("train", "test"))
    stored = {"image_shape": [size, size, 3], "mean": list(MEAN), "std": list(STD), "stored": "image folders"}
    return DataSet(classes, train, test, {"image_size": size}, stored)


def _split(listing: Listing, root: Path, classes: list[str]) -> Split:
    paths = [str(path.relative_to(root)).encode() for images in listing.values() for path in images]
    labels = [classes.index(name) for name, images in listing.items() for _ in images]
    return Split(np.array(paths, dtype=np.bytes_), np.array(labels, dtype=np.int64))

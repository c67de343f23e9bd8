"""Decode image files: images of any size and colour mode become RGB images of one size."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.image_folder import list_images

if TYPE_CHECKING:
    from PIL.Image import Image


def make_image_folder(settings: Mapping[str, Any]) -> DataSet:
    """Return the images of `<dataset.path>/{train,test}/<class>/` as uint8 [N, image_size, image_size, 3].

    The shorter side is scaled to `image_size` (bicubic, antialiased), and the centre is cut out. Classes and images are
    in the order of their names. All images are held in memory.

    Args:
        settings: `path` and `image_size` of section `dataset`.

    Raises:
        InputError: `image_size` is missing, the folders have another layout, or images cannot be read.
    """
    size = settings.get("image_size")
    if not size:
        raise InputError("dataset.image_size is null; expected a number of pixels for image_folder, such as 64")
    folders = list_images(Path(settings["path"]))
    classes = list(folders["train"])
    splits, unreadable = [], []
    for folder in ("train", "test"):
        labelled = [(path, classes.index(name)) for name, paths in folders[folder].items() for path in paths]
        images = np.zeros((len(labelled), size, size, 3), np.uint8)
        for image, (path, _) in zip(images, labelled, strict=True):
            try:
                image[:] = decode(path, size)
            except Exception as error:  # decoders raise exceptions of many types for damaged files
                unreadable.append(f"{path}: cannot be read as an image ({' '.join(str(error).split())})")
        splits.append(Split(images, np.array([label for _, label in labelled], dtype=np.int64)))
    if unreadable:
        raise InputError(f"{unreadable[0]}; {len(unreadable)} unreadable image(s) in all; repair or remove them")
    train, test = splits
    return DataSet(classes, train, test, source={"image_size": size})


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Return the centre of one image as uint8 [size, size, 3].

    Raises:
        Exception: see `read_rgb`.
    """
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(read_rgb(path), (size, size), Image.Resampling.BICUBIC))


def read_rgb(path: Path) -> "Image":
    """Return one image upright, in RGB and in its original size.

    Raises:
        Exception: of many types, if the file is damaged, is no image, has pixels without a known range (modes I and F)
            or is too large (a decompression bomb).
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I;16"):  # PIL would clip 16 bit greys at 255 instead of scaling them
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
            if image.mode in ("I", "F"):
                raise ValueError(f"the range of its greys is unknown: mode {image.mode}")
            return image.convert("RGB")

"""Image folders to arrays: any size and any mode before, one size and RGB afterwards."""

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
    """The images of `<dataset.path>/{train,test}/<class>/` as uint8 [N, image_size, image_size, 3].

    The shorter side is scaled to `image_size` (bicubic, antialiased) and the centre is cut out. Classes and images are
    in the order of their names; all are held in memory.

    Raises:
        InputError: `image_size` is missing, the folders are not as they should be, or images cannot be read.
    """
    size = settings.get("image_size")
    if not size:
        raise InputError("dataset.image_size: not set; an image folder needs it (pixels): set dataset.image_size: 64")
    splits = list_images(Path(settings["path"]))
    classes = list(splits["train"])
    unreadable: list[str] = []
    labelled = {
        name: [(path, classes.index(label)) for label, paths in listing.items() for path in paths]
        for name, listing in splits.items()
    }
    train, test = (_decode_split(labelled[name], size, unreadable) for name in ("train", "test"))
    if unreadable:
        raise InputError(f"{unreadable[0]}; {len(unreadable)} unreadable image(s) in all: repair or remove them")
    return DataSet(classes, train, test, source={"image_size": size})


def _decode_split(labelled: list[tuple[Path, int]], size: int, unreadable: list[str]) -> Split:
    """Decode all images; what cannot be read is noted in `unreadable`, so that all are found at once."""
    images = np.zeros((len(labelled), size, size, 3), np.uint8)
    for image, (path, _) in zip(images, labelled, strict=True):
        try:
            image[:] = decode(path, size)
        except Exception as error:  # decoders of damaged files raise anything
            unreadable.append(f"{path}: cannot be read as an image ({' '.join(str(error).split())})")
    return Split(images, np.array([label for _, label in labelled], dtype=np.int64))


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Read one image as uint8 [size, size, 3].

    Raises:
        Exception: as `read_rgb`.
    """
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(read_rgb(path), (size, size), Image.Resampling.BICUBIC))


def read_rgb(path: Path) -> "Image":
    """Read one image upright, in its own size.

    Raises:
        Exception: of many types, when the file is damaged, too large (a decompression bomb) or not an image.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image))


def _to_rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I;16"):  # PIL would clip 16 bit greys at 255 instead of scaling them
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"the range of its greys is unknown: mode {image.mode}")
    return image.convert("RGB")

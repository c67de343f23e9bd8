"""Decode image files: images of any size and colour mode become images of one size, in RGB or in greys."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasmake.core.errors import InputError
from nasmake.data.prepared import DataSet, Split
from nasmake.data.preparing.image_folder import UnreadableImagesError, list_images

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112  # number of the EXIF field
GREYS = ("1", "L", "LA", "La")  # PIL's modes of images without colours, beside those of 16 bits
DEPTHS = (8, 10, 12, 14, 16)  # bits of a grey that cameras and scanners store in 16 bits
REDUCTIONS = (8, 4, 2)  # divisors of width and height with which PIL can decode a JPEG file
# A file is decoded at a reduced size only if the window then has twice the pixels of the result in each direction: with
# this value, PIL's documentation of Image.thumbnail (`reducing_gap`) calls the result very close to a fair resampling.
REDUCING_GAP = 2
Window = tuple[int, int, int, int]  # left, top, right and bottom edge in pixels
log = logging.getLogger(__name__)


def make_image_folder(settings: Mapping[str, Any]) -> DataSet:
    """Return the images of `<dataset.path>/{train,test}/<class>/` as uint8 [N, image_size, image_size, C].

    The shorter side is scaled to `image_size` (bicubic, antialiased), and the centre is cut out. Classes and images are
    in the order of their names. All images are held in memory.

    Args:
        settings: `path`, `image_size` and `channels` of section `dataset`.

    Raises:
        InputError: `image_size` is missing, or the folders have another layout.
        UnreadableImagesError: images cannot be read.
    """
    size = settings.get("image_size")
    if not size:
        raise InputError("dataset.image_size is null; expected a number of pixels for image_folder, such as 64")
    folders = list_images(Path(settings["path"]))
    classes = list(folders["train"])
    labelled = {
        part: [(path, classes.index(name)) for name, paths in folders[part].items() for path in paths]
        for part in ("train", "test")
    }
    images = decode_all(
        [path for part in labelled.values() for path, _ in part], size, settings.get("channels", "auto")
    )
    labels = np.array([label for part in labelled.values() for _, label in part], dtype=np.int64)
    first_test = len(labelled["train"])
    return DataSet(
        classes,
        train=Split(images[:first_test], labels[:first_test]),
        test=Split(images[first_test:], labels[first_test:]),
        source={"image_size": size},
    )


def decode_all(paths: Sequence[Path], size: int, channels: int | str) -> NDArray[np.uint8]:
    """Return the centres of images as uint8 [N, size, size, C].

    All files with greys of 16 bits are scaled alike. If none of their values needs more than 12 bits, for example, then
    the greys are those of a device with 12 bits, and 4095 is white.

    Args:
        paths: the files.
        size: height and width of the result in pixels.
        channels: C, which is 1 (greys) or 3 (RGB); with `auto` it is 1 if the files of all images have greys only.

    Raises:
        UnreadableImagesError: at least one file cannot be read.
    """
    images = np.zeros((len(paths), size, size, 1 if channels == 1 else 3), np.uint8)
    problems: list[str] = []
    has_colours = False
    deep: dict[int, int] = {}  # largest value of each image with greys of 16 bits, by its row
    for row, path in enumerate(paths):
        try:
            image = open_upright(path)
            if has_deep_greys(image):
                deep[row] = int(np.asarray(image).max())
            has_colours |= image.mode not in GREYS and not has_deep_greys(image)
            images[row] = centre(to_rgb(image), size, images.shape[-1])
        except Exception as error:  # decoders raise exceptions of many types for damaged files
            problems.append(f"{path}: cannot be read as an image ({' '.join(str(error).split())})")
    if problems:
        raise UnreadableImagesError(problems)
    bits = depth_of(max(deep.values(), default=0))
    if deep and bits < max(DEPTHS):
        log.info(
            "greys: %d files of 16 bits with values up to %d: read as %d bits", len(deep), max(deep.values()), bits
        )
        for row in deep:
            images[row] = centre(to_rgb(open_upright(paths[row]), bits), size, images.shape[-1])
    return images if has_colours or channels != "auto" else images[..., :1]


def depth_of(largest: int) -> int:
    """Return the number of bits of a grey whose largest value in the data set is `largest`, 0 .. 65535."""
    return next(bits for bits in DEPTHS if largest < 2**bits)


def centre(image: "Image", size: int, channels: int) -> NDArray[np.uint8]:
    """Return the centre of an RGB image as uint8 [size, size, channels]; its shorter side is scaled to `size`."""
    from PIL import Image, ImageOps

    converted = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(ImageOps.fit(converted, (size, size), Image.Resampling.BICUBIC)).reshape(size, size, channels)


def read_window(path: Path, size: int, window: Callable[[int, int], Window]) -> "Image":
    """Return a window of one upright image, scaled to size x size pixels (bilinear, antialiased), in RGB.

    The loader processes call this function for every image of a batch. So it makes no copy of the whole image, and
    leaves it to the caller to silence PIL's warnings.

    Args:
        path: the file.
        size: height and width of the result in pixels.
        window: maps width and height of the upright image to the window.

    Raises:
        Exception: see `open_upright` and `to_rgb`.
    """
    from PIL import Image

    with Image.open(path) as file:
        turn = _turn(file)
        if turn is not None:
            image = to_rgb(file.transpose(turn))
            return image.resize((size, size), Image.Resampling.BILINEAR, box=window(*image.size))
        left, top, right, bottom = window(*file.size)
        reduction = _reduce(file, min(right - left, bottom - top) // (REDUCING_GAP * size))
        box = (left / reduction, top / reduction, right / reduction, bottom / reduction)
        return to_rgb(file).resize((size, size), Image.Resampling.BILINEAR, box=box)


def _reduce(file: Any, most: int) -> int:
    """Let PIL decode a JPEG file with width and height divided by the number that is returned, `most` at the most."""
    reduction = next((divisor for divisor in REDUCTIONS if divisor <= most), 1)
    if reduction == 1:
        return 1
    # PIL takes the largest divisor with which no edge gets shorter than it is told. Other formats return None.
    is_reduced = file.draft(None, (file.width // reduction, file.height // reduction)) is not None
    return reduction if is_reduced else 1


def open_upright(path: Path) -> "Image":
    """Return one image in its original size and colour mode, turned as its EXIF orientation says.

    EXIF data that cannot be read is left out of account: it says nothing about the pixels.

    Raises:
        Exception: of many types, if the file is damaged, is no image or has more than 179 million pixels (a
            decompression bomb).
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of many pixels, which are refused above twice PIL's limit, and of bad EXIF
        with Image.open(path) as file:
            file.load()
            turn = _turn(file)
            return file.copy() if turn is None else file.transpose(turn)


def to_rgb(image: "Image", bits: int = 16) -> "Image":
    """Return an image in RGB, which is `image` itself if it is in RGB.

    Args:
        image: of any colour mode.
        bits: number of bits that the greys of a file with 16 bits use.

    Raises:
        ValueError: the greys have no known range (modes I and F).
    """
    from PIL import Image

    if has_deep_greys(image):  # PIL would clip greys of 16 bits at 255 instead of scaling them
        return Image.fromarray((np.asarray(image) >> (bits - 8)).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"the range of its greys is unknown: mode {image.mode}")
    return image if image.mode == "RGB" else image.convert("RGB")  # convert would make a copy


def has_deep_greys(image: "Image") -> bool:
    """Return True if the greys of an image have 16 bits."""
    return image.mode.startswith("I;16")


def _turn(image: "Image") -> Any:
    """Return the transposition by which the EXIF orientation is undone; None for an upright image."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # PIL's parser raises exceptions of many types for damaged EXIF data
        return None

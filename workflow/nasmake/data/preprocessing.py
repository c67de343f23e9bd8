"""preprocessing.json of an exported network: what it expects of an image. No NumPy here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nasmake.core.files import read_json
from nasmake.core.records import Preprocessing, record_of


@dataclass(frozen=True)
class Resize:
    """How an image of any size becomes one that a network takes.

    Attributes:
        crop: edge of the square that is cut out of the middle, divided by the shorter edge of the image.
        interpolation: how the square is scaled; antialiased, as Pillow does it.
    """

    crop: float
    interpolation: Literal["bicubic", "bilinear"]


@dataclass(frozen=True)
class ExportedPreprocessing(Preprocessing):
    """preprocessing.json of an exported network. No standard deviation is 0."""

    resize: Resize


BICUBIC = Resize(1.0, "bicubic")  # preparing.decode.centre
BILINEAR = Resize(224 / 256, "bilinear")  # loading.image_files.central_window, for images that stay files
SMALLEST_DEVIATION = 1 / 255  # of a channel with less contrast; BatchSource in loading.arrays divides by as much


def exported_preprocessing(manifest: Mapping[str, Any]) -> ExportedPreprocessing:
    """Return how images are scaled, cropped and normalised for a network that was trained on a data set.

    Args:
        manifest: facts about the data set.
    """
    size, _, channels = manifest["image_shape"]
    return ExportedPreprocessing(
        image_size=size,
        channels=channels,
        mean=manifest["mean"],
        std=[max(deviation, SMALLEST_DEVIATION) for deviation in manifest["std"]],
        classes=manifest["classes"],
        resize=BILINEAR if "stored" in manifest else BICUBIC,
    )


def read_preprocessing(path: Path) -> ExportedPreprocessing:
    """Read a preprocessing.json; see `record_of` for the error."""
    return record_of(ExportedPreprocessing, read_json(path), path)

"""What an exported network expects of an image, from the facts about its data set. No NumPy here."""

from collections.abc import Mapping
from typing import Any

from nasmake.core.records import ExportedPreprocessing, Resize

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

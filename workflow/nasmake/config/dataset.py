"""Section `dataset`: the data, and how its training images are divided."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from nasmake.config.base import Count, FilePath, Section
from nasmake.core.urls import without_secrets

DATASETS = Literal[
    "digits", "digits_canvas", "mnist", "fashion_mnist", "cifar10", "cifar100", "imagenet", "image_folder"
]
IDX = ("mnist", "fashion_mnist")  # sets of four files whose checksums are fixed
TEXT_SETS = ("digit", "letter", "mnist", "svhn", "omniglot")  # in names of data sets of digits or letters
SCHEMES = ("http://", "https://", "file://")
SHA256 = "^[0-9a-f]{64}$"


def _check_sha256(text: str) -> str:
    if not re.fullmatch(SHA256, text):
        raise ValueError("expected 64 hexadecimal digits in lower case")
    return text


def _is_text(name: str) -> bool:
    """Return True if the images of a data set are digits or letters, which must not be mirrored, by its name."""
    lowered = name.lower()
    return "fashion" not in lowered and any(part in lowered for part in TEXT_SETS)


class DatasetRetrain(Section):
    """Folders of the same data set that retraining and the final test use instead of dataset.path."""

    train: FilePath | None = Field(
        None, description="folder of the same data set with the images for retraining; null: dataset.path"
    )
    test: FilePath | None = Field(
        None, description="folder of the same data set with the images for the final test; null: dataset.path"
    )


class Dataset(Section):
    """The data, and how its training images are divided."""

    name: DATASETS = Field(
        "cifar10", description="the data set; images of imagenet and image_folder lie in dataset.path"
    )
    path: FilePath = Field("resources/datasets", description="folder of the prepared data sets and of their archives")
    num_data_architecture_search: Annotated[int, Field(ge=1, le=10**9)] = Field(
        10000, description="number of training images held out as val; the search and the trials are scored on them"
    )
    num_train: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None,
        description="number of training images that the study uses, with those of val; drawn with nas.seed, each class "
        "with its share; null: all",
    )
    num_search_classes: Count | None = Field(
        None,
        description="number of classes in supernet training and search, drawn with nas.seed; retraining always uses "
        "all classes, and limits apply to the network for all classes; null: all",
    )
    image_size: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="height and width of the images in pixels; required for image_folder; null: 224 for imagenet"
    )
    channels: Literal["auto", 1, 3] = Field(
        "auto",
        description="channels of the images of an image_folder: 1 (greys) or 3 (RGB); auto: 1 if all files have greys "
        "only; other data sets have their own number",
    )
    crop_padding: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        None,
        description="pixels of black on each side of a training image before a random crop; null: 4, 1 for the digits "
        "sets, 2 for mnist and fashion_mnist, 0 for imagenet",
    )
    flip: bool | None = Field(
        None,
        description="mirror training images at random, left to right; null: true, false for digits and letters, which "
        "are the digits sets, mnist, and image folders with digit, letter, mnist (but not fashion), svhn or omniglot "
        "in their name",
    )
    url: str | None = Field(
        None,
        description="URL of another source of the CIFAR archive (http, https or file), with dataset.sha256; or of a "
        "folder with the files of mnist or fashion_mnist",
    )
    sha256: (
        Annotated[str, AfterValidator(_check_sha256), WithJsonSchema({"type": "string", "pattern": SHA256})] | None
    ) = Field(None, description="SHA-256 checksum of the CIFAR archive; null: the checksum of the official archive")

    retrain: DatasetRetrain = Field(default_factory=DatasetRetrain, description="other folders of the data set")

    @model_validator(mode="after")
    def _resolve(self) -> "Dataset":
        digits = self.name.startswith("digits")
        if self.crop_padding is None:
            self.crop_padding = {"imagenet": 0, **dict.fromkeys(IDX, 2)}.get(self.name, 1 if digits else 4)
        if self.flip is None:
            self.flip = not _is_text(Path(self.path).absolute().name if self.name == "image_folder" else self.name)
        if self.name in IDX and self.sha256 is not None:
            raise ValueError(f"sha256 is {self.sha256}; expected null, because the checksums of {self.name} are fixed")
        if self.url is not None and self.sha256 is None and self.name not in IDX:
            raise ValueError(
                f"url is {without_secrets(self.url)}; expected dataset.sha256 with it; type: shasum -a 256 FILE"
            )
        if self.url is not None and not (self.url.isprintable() and self.url.startswith(SCHEMES)):
            raise ValueError(
                f"url is {without_secrets(self.url)}; expected a URL that begins with http://, https:// or file://"
            )
        if self.name == "imagenet":
            self.image_size = self.image_size or 224
            if self.crop_padding:
                raise ValueError(
                    f"crop_padding is {self.crop_padding}; expected null, because imagenet has other crops"
                )
        elif self.name == "image_folder" and self.image_size is None:
            raise ValueError("image_size is null; expected a number of pixels for image_folder, such as 32")
        elif self.name != "image_folder" and self.image_size is not None:
            raise ValueError(f"image_size is {self.image_size}; expected null, except for image_folder and imagenet")
        if self.name != "image_folder" and self.channels != "auto":
            raise ValueError(f"channels is {self.channels}; expected auto, except for image_folder")
        return self

"""Section `dataset`: the data, and how its training images are divided."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nasmake.config.base import Count, FilePath, Section

DATASETS = Literal["digits", "digits_canvas", "cifar10", "cifar100", "imagenet", "image_folder"]


class DatasetRetrain(Section):
    """Where the same data set lies for retraining."""

    train: FilePath | None = Field(None, description="folder of the images to train on; null: dataset.path")
    test: FilePath | None = Field(None, description="folder of the images of the test; null: dataset.path")


class Dataset(Section):
    """The data, and how its training part is divided."""

    name: DATASETS = Field("cifar10", description="the data set; imagenet and image_folder lie in dataset.path")
    path: FilePath = Field("resources/datasets", description="folder of prepared data sets and archives")
    num_data_architecture_search: Count = Field(
        10000, description="images held out as val: the score of the search and of the trials"
    )
    num_search_classes: Count | None = Field(
        None,
        description="classes, drawn by the seed, in supernet training and search; limits are on the network for all "
        "classes, which retraining trains; null: all",
    )
    image_size: Count | None = Field(None, description="edge in pixels; needed for image_folder; null: of imagenet 224")
    crop_padding: Annotated[int, Field(ge=0)] | None = Field(
        None, description="random crop after padding by this many pixels; null: 4, for digits 1, for imagenet 0"
    )
    flip: bool | None = Field(None, description="random horizontal flip in training; null: true, for digits false")
    url: str | None = Field(None, description="mirror of a CIFAR archive (http, https, file); needs dataset.sha256")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="checksum of the archive, instead of the built-in one"
    )

    retrain: DatasetRetrain = Field(default_factory=DatasetRetrain, description="data of the retraining")

    @model_validator(mode="after")
    def _consistent(self) -> "Dataset":
        digits = self.name.startswith("digits")
        if self.crop_padding is None:
            self.crop_padding = {"imagenet": 0}.get(self.name, 1 if digits else 4)
        if self.flip is None:
            self.flip = not digits
        if self.url is not None and self.sha256 is None:
            raise ValueError(
                f"url: {self.url!r} has no checksum; add dataset.sha256 (of the file: `shasum -a 256 FILE`)"
            )
        if self.url is not None and not self.url.startswith(("http://", "https://", "file://")):
            raise ValueError(f"url: {self.url!r} must begin with http://, https:// or file://")
        if self.name == "imagenet":
            self.image_size = self.image_size or 224
            if self.crop_padding:
                raise ValueError(f"crop_padding: {self.crop_padding}: imagenet has crops of its own; set null")
        elif (self.name == "image_folder") != (self.image_size is not None):
            need = (
                "is needed for image_folder; for example 32"
                if self.image_size is None
                else "is for image_folder and imagenet only"
            )
            raise ValueError(f"image_size: {self.image_size} {need}")
        return self

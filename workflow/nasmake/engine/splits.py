"""The splits of a prepared data set as batches on the training device: train, val, and test.

`nasmake.data` prepares the files and draws the batches. This module may import core, config, data and
`engine.distributed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasmake.config import Config
from nasmake.core.errors import InputError
from nasmake.core.process import rank
from nasmake.core.records import Preprocessing, json_of
from nasmake.data.loading.arrays import ArraySource, Augmentation, BatchSource, shuffled_order
from nasmake.data.loading.decoded import decoded
from nasmake.data.loading.image_files import FileSource
from nasmake.data.prepared import Prepared
from nasmake.data.splits import choose_classes, choose_part, split_train_val
from nasmake.engine.distributed import wait_for_all

SplitName = Literal["train", "val", "train+val", "test"]


@dataclass(frozen=True)
class Splits:
    """A prepared data set as a stage sees it.

    Attributes:
        prepared: the data set whose training images are split into train and val.
        settings: section `dataset` decides the split and the augmentation; nas.seed seeds the draws.
        device: of the images and labels.
        tested: the data set whose test split is used.
        num_search_classes: number of classes that a search is restricted to; None: all classes.
        workers: loader processes for images that stay files.
        memory_format: of the images.
    """

    prepared: Prepared
    settings: Config
    device: torch.device
    tested: Prepared
    num_search_classes: int | None = None
    workers: int = 0
    memory_format: torch.memory_format = torch.channels_last

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: Config,
        device: torch.device,
        test: Path | None = None,
        num_search_classes: int | None = None,
        workers: int = 0,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> "Splits":
        """Read the manifest; the images of a split are read when this split is used.

        Args:
            folder: of the prepared data set.
            settings: see the class.
            device: see the class.
            test: folder of another prepared data set, whose test split is used.
            num_search_classes: see the class.
            workers: see the class.
            memory_format: see the class.

        Raises:
            InputError: the two data sets differ in their classes or in the size of their images.
        """
        prepared = Prepared.open(folder)
        tested = prepared if test is None else Prepared.open(test)
        for key in ("classes", "image_shape"):
            if tested.manifest[key] != prepared.manifest[key]:
                raise InputError(
                    f"dataset.retrain.test: {test}: {key} differ from those of {folder}; expected a folder in which "
                    "they are equal"
                )
        return cls(prepared, settings, device, tested, num_search_classes, workers, memory_format)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of the data set."""
        return self.prepared.manifest

    @property
    def in_channels(self) -> int:
        """Channels of an image."""
        return int(self.manifest["image_shape"][2])

    @property
    def input_size(self) -> int:
        """Height and width of an image in pixels."""
        return int(self.manifest["image_shape"][0])

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The facts about images and classes that go with a network that is trained on these images, as JSON."""
        manifest, classes = self.manifest, [self.manifest["classes"][number] for number in self._class_numbers()]
        return json_of(Preprocessing(self.input_size, self.in_channels, manifest["mean"], manifest["std"], classes))

    def _class_numbers(self) -> NDArray[np.int64]:
        """Return the sorted numbers of the classes in use, int64 [K]; the network numbers them from 0."""
        total = len(self.manifest["classes"])
        return choose_classes(self.num_search_classes or total, total, self.settings.nas.seed)

    def training(self, name: SplitName, batch_size: int, stage: str, cutout: int | None = None) -> BatchSource:
        """Return shuffled, augmented batches [batch_size, C, H, W] of a split; the last, smaller batch is left out.

        Args:
            name: of the split.
            batch_size: images of a batch.
            stage: part of the seed key of the draws.
            cutout: edge in pixels of the square that is blanked in each image, if any.
        """
        dataset = self.settings.dataset
        augment = Augmentation(pad=dataset.crop_padding or 0, flip=bool(dataset.flip), cutout=cutout or 0)
        return self._source(name, batch_size, stage, shuffle=True, augment=augment, drop_last=True)

    def recalibration(self, batch_size: int, stage: str, count: int) -> BatchSource:
        """Return full batches of train images without augmentation: the same ones in every epoch, drawn at random.

        Args:
            batch_size: images of a batch; if train has fewer, they are one batch.
            stage: part of the seed key of the draw.
            count: number of images, rounded up to full batches.
        """
        images, labels = self.arrays("train")
        batches = min(max(1, len(labels) // batch_size), -(-count // batch_size))
        rows = shuffled_order(len(labels), (self.settings.nas.seed, stage), 0)[: batches * batch_size]
        return self._in_memory(images[rows], labels[rows], batch_size, stage)

    def shuffled(self, name: SplitName, batch_size: int, stage: str) -> BatchSource:
        """Return shuffled batches without augmentation; the arguments are those of `training`."""
        return self._source(name, batch_size, stage, shuffle=True, drop_last=True)

    def evaluation(self, name: SplitName, batch_size: int) -> BatchSource:
        """Return all images of a split in order, without augmentation; the last batch may be smaller."""
        return self._source(name, batch_size, "evaluation")

    def _source(self, name: SplitName, batch_size: int, stage: str, **options: Any) -> BatchSource:
        images, labels = self.arrays(name)
        # Test images are read once. Val images without augmentation are read again and again, so they are kept decoded.
        if not self.prepared.in_files or (name == "val" and "augment" not in options):
            return self._in_memory(images, labels, batch_size, stage, **options)
        root = (self.tested if name == "test" else self.prepared).root
        options |= self._common | {"size": self.input_size, "workers": self.workers, "training": "augment" in options}
        seed_key = (self.settings.nas.seed, stage)
        return FileSource(root, images, torch.from_numpy(labels).to(self.device), batch_size, seed_key, **options)

    def _in_memory(
        self, images: NDArray[Any], labels: NDArray[np.int64], batch_size: int, stage: str, **options: Any
    ) -> BatchSource:
        on_device = torch.from_numpy(labels).to(self.device)
        pixels = self._decoded(images) if self.prepared.in_files else torch.from_numpy(images).to(self.device)
        return ArraySource(pixels, on_device, batch_size, (self.settings.nas.seed, stage), **options, **self._common)

    def _decoded(self, paths: NDArray[np.bytes_]) -> Tensor:
        """Return image files as uint8 [N, H, W, C] on the CPU; rank 0 decodes them while the others wait."""
        if rank() > 0:
            wait_for_all()
        pixels = torch.from_numpy(decoded(self.prepared, paths, self.workers))
        if rank() == 0:
            wait_for_all()
        return pixels

    @property
    def _common(self) -> dict[str, Any]:
        return {key: self.manifest[key] for key in ("mean", "std")} | {"memory_format": self.memory_format}

    def arrays(self, name: SplitName) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the images of a split, uint8 [N, H, W, C], or their paths, bytes [N]; and the labels, int64 [N].

        With `num_search_classes` a split has the images of that many classes only, and these are numbered from 0.
        """
        images, labels = self.tested.split("test") if name == "test" else self.prepared.split("train")
        rows = np.arange(len(labels)) if name == "test" else self._rows(name, labels)
        images, labels = images[rows], labels[rows]
        if self.num_search_classes is None:
            return images, labels
        classes = self._class_numbers()
        of_classes = np.isin(labels, classes)
        return images[of_classes], np.searchsorted(classes, labels[of_classes])

    def _rows(self, name: SplitName, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of a split among all training images, int64 [n]."""
        dataset, seed = self.settings.dataset, self.settings.nas.seed
        part = choose_part(labels, dataset.num_train, seed)
        if name == "train+val":
            return part
        train, val = split_train_val(labels[part], dataset.num_data_architecture_search, seed)
        return part[train if name == "train" else val]

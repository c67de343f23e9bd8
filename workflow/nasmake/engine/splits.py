"""The three parts of a data set on the training device: train and val of the training images, and test."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nasmake.config import Config
from nasmake.core.errors import InputError
from nasmake.data.loading.arrays import ArraySource, Augmentation, BatchSource
from nasmake.data.loading.image_files import FileSource
from nasmake.data.prepared import Prepared
from nasmake.data.splits import choose_classes, split_train_val

SplitName = Literal["train", "val", "train+val", "test"]


@dataclass(frozen=True)
class Splits:
    """A prepared data set as a stage sees it.

    Attributes:
        settings: decides the split and the augmentation.
        device: where the images are put.
        tested: the prepared data set that the test part is taken from.
        workers: loader processes, of images that stay files.
    """

    prepared: Prepared
    settings: Config
    device: torch.device
    tested: Prepared
    workers: int = 0

    @classmethod
    def open(
        cls, folder: Path, settings: Config, device: torch.device, test: Path | None = None, workers: int = 0
    ) -> "Splits":
        """Read the manifest; images are read when a part of them is asked for.

        Args:
            folder: of the prepared data set.
            settings: see above.
            device: see above.
            test: folder of the one that has the test part, if that is another.
            workers: see above.

        Raises:
            InputError: the two do not have the same classes and size of images.
        """
        prepared = Prepared.open(folder)
        tested = prepared if test is None else Prepared.open(test)
        for key in ("classes", "image_shape"):
            if tested.manifest[key] != prepared.manifest[key]:
                raise InputError(
                    f"dataset.retrain.test: {test}: {key} differ from those of {folder}; set another folder"
                )
        return cls(prepared, settings, device, tested, workers)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the data set is."""
        return self.prepared.manifest

    @property
    def in_channels(self) -> int:
        """Channels of an image."""
        return int(self.manifest["image_shape"][2])

    @property
    def input_size(self) -> int:
        """Edge of an image in pixels."""
        return int(self.manifest["image_shape"][0])

    def training(self, name: SplitName, batch_size: int, stage: str, cutout: int | None = None) -> BatchSource:
        """Shuffled, augmented batches, as `stage` draws them; `cutout` is the edge of a blank square in each image."""
        dataset = self.settings.dataset
        augment = Augmentation(pad=dataset.crop_padding or 0, flip=bool(dataset.flip), cutout=cutout or 0)
        return self._source(name, batch_size, stage, shuffle=True, augment=augment, drop_last=True)

    def evaluation(self, name: SplitName, batch_size: int) -> BatchSource:
        """All images in order, as they are."""
        return self._source(name, batch_size, "evaluation")

    def shuffled(self, name: SplitName, batch_size: int, stage: str) -> BatchSource:
        """Shuffled batches of images as they are."""
        return self._source(name, batch_size, stage, shuffle=True, drop_last=True)

    def _source(self, name: SplitName, batch_size: int, stage: str, **options: Any) -> BatchSource:
        images, numbers = self.arrays(name)
        labels, seed_key = torch.from_numpy(numbers).to(self.device), (self.settings.nas.seed, stage)
        options |= {key: self.manifest[key] for key in ("mean", "std")}
        if self.prepared.in_files:
            root = (self.tested if name == "test" else self.prepared).folder.parent
            options |= {"size": self.input_size, "workers": self.workers, "training": "augment" in options}
            return FileSource(root, images, labels, batch_size, seed_key, **options)
        return ArraySource(torch.from_numpy(images).to(self.device), labels, batch_size, seed_key, **options)

    def arrays(self, name: SplitName) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Images, uint8 [N, H, W, C], or their paths, and labels, int64 [N].

        With dataset.num_search_classes only those of some classes, which are then numbered from 0; a stage that is to
        know all classes is not told that key.
        """
        images, labels = self._rows(name)
        wanted = self.settings.dataset.num_search_classes
        if wanted is None:
            return images, labels
        chosen = choose_classes(wanted, len(self.manifest["classes"]), self.settings.nas.seed)
        rows = np.isin(labels, chosen)
        return images[rows], np.searchsorted(chosen, labels[rows])

    def _rows(self, name: SplitName) -> tuple[NDArray[Any], NDArray[np.int64]]:
        images, labels = self.tested.split("test") if name == "test" else self.prepared.split("train")
        if name in ("test", "train+val"):
            return np.array(images), np.array(labels)
        settings = self.settings
        train, val = split_train_val(labels, settings.dataset.num_data_architecture_search, settings.nas.seed)
        rows = train if name == "train" else val
        return images[rows], labels[rows]

"""engine.splits: the test split of another folder (dataset.retrain.test), and a part of the images (dataset.num_train).

test_search_classes.py tests some of the classes.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, sha256_of, write_json
from nasmake.data.manifest import sealed
from nasmake.engine.splits import Splits
from small_jobs import make_job


@pytest.fixture
def other(tmp_path, digits):
    """The same data set, but half of its test part."""
    folder = Path(shutil.copytree(digits, tmp_path / "other"))
    for name in ("test_images.npy", "test_labels.npy"):
        np.save(folder / name, np.load(folder / name)[:300])
    manifest = read_json(folder / "manifest.json")
    sums = {name: sha256_of(folder / name) for name in manifest["sha256"]}
    changed = {"test": manifest["test"] | {"count": 300}, "mean": [0.9], "sha256": sums}
    write_json(folder / "manifest.json", sealed(manifest | changed))
    return folder


def splits(digits, other, tmp_path, **changes):
    job = make_job("retrain", tmp_path, digits, **changes)
    return Splits.open(digits, job.settings, torch.device("cpu"), other)


def test_test_part_is_the_other_ones_normalised_as_in_training(digits, other, tmp_path):
    replaced, plain = splits(digits, other, tmp_path), splits(digits, None, tmp_path)
    (images, labels), (all_images, all_labels) = (
        part.evaluation("test", 300).batch(0, 0) for part in (replaced, plain)
    )
    assert len(replaced.arrays("test")[0]) == 300
    assert torch.equal(images, all_images) and torch.equal(labels, all_labels)
    assert np.array_equal(replaced.arrays("train")[0], plain.arrays("train")[0])


def test_other_classes_are_refused(digits, other, tmp_path):
    write_json(other / "manifest.json", sealed(read_json(other / "manifest.json") | {"classes": ["a", "b"]}))
    with pytest.raises(InputError, match=r"^dataset\.retrain\.test: .*: classes differ from those of "):
        splits(digits, other, tmp_path)


def test_part_of_the_training_images_is_divided_and_the_test_part_stays_whole(digits, tmp_path):
    part = splits(digits, None, tmp_path, dataset__num_train=300, dataset__num_data_architecture_search=100)
    train, val, both, test = (part.arrays(name) for name in ("train", "val", "train+val", "test"))
    assert [len(labels) for _, labels in (train, val, both, test)] == [200, 100, 300, 597]
    assert np.all(np.abs(np.bincount(both[1]) - 30) <= 1) and np.all(np.abs(np.bincount(val[1]) - 10) <= 1)
    images = sorted(image.tobytes() for image in both[0])
    assert images == sorted(image.tobytes() for image in (*train[0], *val[0]))
    assert set(images) < {image.tobytes() for image in splits(digits, None, tmp_path).arrays("train+val")[0]}

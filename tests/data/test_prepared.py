import os

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, sha256_of, write_json
from nasmake.data.prepared import DataSet, Prepared, Split, channel_statistics, write_prepared


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    nothing = Split(np.zeros((0, 4, 5, 3), np.uint8), np.zeros(0, np.int64))
    write_prepared(tmp_path, "toy", DataSet(["a", "b"], Split(images, np.arange(6) % 2), nothing, {}), 0.0)
    return tmp_path


def test_round_trip(folder):
    prepared = Prepared.open(folder)
    images, labels = prepared.split("train")
    assert isinstance(images, np.memmap) and images.shape == (6, 4, 5, 3)
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert prepared.split("test").images.shape == (0, 4, 5, 3)
    assert prepared.manifest["test"] == {"count": 0, "per_class": {"a": 0, "b": 0}}
    assert prepared.manifest["sha256"]["train_images.npy"] == sha256_of(folder / "train_images.npy")
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_test_files_are_not_needed_for_training(folder):
    for file in ("test_images.npy", "test_labels.npy"):
        (folder / file).unlink()
    assert len(Prepared.open(folder).split("train").labels) == 6
    with pytest.raises(InputError, match=r"test_images.npy: missing or damaged .*; remove the folder"):
        Prepared.open(folder).split("test")


def test_truncated_array(folder):
    os.truncate(folder / "train_images.npy", 200)
    with pytest.raises(InputError, match=r"train_images.npy: missing or damaged"):
        Prepared.open(folder).split("train")


def test_array_that_does_not_match_the_manifest(folder):
    np.save(folder / "train_labels.npy", np.zeros(6, np.int32))
    with pytest.raises(InputError, match=r"train_labels.npy: .*int32 \(6,\), where the manifest says int64 \(6,\)"):
        Prepared.open(folder).split("train")


def test_pickled_array_is_refused(folder):
    np.save(folder / "train_labels.npy", np.array([object] * 6), allow_pickle=True)
    with pytest.raises(InputError, match=r"train_labels.npy: missing or damaged"):
        Prepared.open(folder).split("train")


def test_missing_and_damaged_manifest(folder, tmp_path):
    with pytest.raises(InputError, match=r"manifest.json: no such file"):
        Prepared.open(tmp_path / "elsewhere")
    manifest = read_json(folder / "manifest.json")
    del manifest["mean"]
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(InputError, match=r"manifest.json: .*mean is missing"):
        Prepared.open(folder)


def test_statistics_of_each_channel():
    images = np.random.default_rng(1).integers(0, 200, (7, 5, 5, 3), dtype=np.uint8)
    images[..., 2] = 51
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 1, 2)), rtol=1e-12, atol=1e-15)
    assert (mean[2], std[2]) == (0.2, 0)

"""Tests of nasmake.data.prepared and nasmake.data.manifest."""

import os

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, sha256_of, write_json
from nasmake.data.manifest import sealed
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
    with pytest.raises(InputError, match=r"test_images.npy: missing or damaged: .*; type: rm -f .*manifest.json, then"):
        Prepared.open(folder).split("test")


def test_truncated_array(folder):
    os.truncate(folder / "train_images.npy", 200)
    with pytest.raises(InputError, match=r"train_images.npy: missing or damaged"):
        Prepared.open(folder).split("train")


def replace_array(folder, name, array):
    """Write another array, and its checksum into the manifest."""
    np.save(folder / name, array, allow_pickle=True)
    manifest = read_json(folder / "manifest.json")
    sums = manifest["sha256"] | {name: sha256_of(folder / name)}
    write_json(folder / "manifest.json", sealed(manifest | {"sha256": sums}))


def test_flipped_bit_is_noticed_and_the_verdict_is_not_kept(folder):
    assert Prepared.open(folder).split("train").labels.tolist() == [0, 1, 0, 1, 0, 1]
    content = bytearray((folder / "train_labels.npy").read_bytes())
    content[-1] ^= 64
    before = (folder / "train_labels.npy").stat()
    (folder / "train_labels.npy").write_bytes(content)
    os.utime(folder / "train_labels.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            Prepared.open(folder).split("train")
    found, expected = sha256_of(folder / "train_labels.npy"), read_json(folder / "manifest.json")["sha256"]
    assert str(caught.value) == (
        f"{folder}/train_labels.npy: missing or damaged: sha256 is {found}; expected {expected['train_labels.npy']}; "
        f"type: rm -f {folder}/manifest.json, then the same command again"
    )


def test_array_that_does_not_match_the_manifest(folder):
    replace_array(folder, "train_labels.npy", np.zeros(6, np.int32))
    with pytest.raises(InputError, match=r"train_labels.npy: .*int32 \(6,\), where the manifest says int64 \(6,\)"):
        Prepared.open(folder).split("train")


@pytest.mark.parametrize("label", [2, -1])
def test_label_without_a_class(folder, label):
    replace_array(folder, "train_labels.npy", np.array([0, 1, 0, 1, 0, label]))
    with pytest.raises(InputError, match=r"train_labels.npy: .*expected labels from 0 to 1"):
        Prepared.open(folder).split("train")


def test_pickled_array_is_refused(folder):
    replace_array(folder, "train_labels.npy", np.array([object] * 6))
    with pytest.raises(InputError, match=r"train_labels.npy: missing or damaged"):
        Prepared.open(folder).split("train")


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (6,",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (6,), }",
        b"((((((((((",
        b"\xff\xfe",
    ],
)
def test_damaged_header(folder, header):
    path = folder / "train_labels.npy"
    replace_array(folder, path.name, np.arange(6))
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(48))
    manifest = read_json(folder / "manifest.json")
    sums = manifest["sha256"] | {path.name: sha256_of(path)}
    write_json(folder / "manifest.json", sealed(manifest | {"sha256": sums}))
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": False}, "train is false; expected an object"),
        ({"train": {"count": "1e400", "per_class": {}}}, 'train.count is "1e400"; expected a whole number'),
        ({"train": {"count": -1, "per_class": {}}}, "count is negative"),
        ({"classes": [{}, "b"]}, "expected text"),
        ({"classes": ["a", "a"]}, "expected names, none of them twice"),
        ({"classes": []}, "expected names, none of them twice"),
        ({"image_shape": -1}, "image_shape is -1; expected a list"),
        ({"image_shape": [4, 0, 3]}, "expected height, width and channels"),
        ({"mean": [0.1]}, "expected one number for each channel"),
        ({"sha256": {}}, "expected one checksum for each of"),
    ],
)
def test_manifest_with_a_wrong_field(folder, change, message):
    write_json(folder / "manifest.json", sealed(read_json(folder / "manifest.json") | change))
    with pytest.raises(InputError, match=rf"manifest.json: .*{message}.*; type: rm ") as caught:
        Prepared.open(folder)
    assert str(caught.value).isprintable()


def test_manifest_protects_itself_but_not_its_provenance(folder):
    manifest = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", manifest | {"provenance": {}})
    Prepared.open(folder)
    write_json(folder / "manifest.json", manifest | {"mean": [0.5, 0.5, 0.5]})
    with pytest.raises(InputError, match=r"manifest.json: .*checksum is \w{16}; expected \w{16}"):
        Prepared.open(folder)


def test_manifest_of_an_earlier_version_has_no_checksum(folder):
    manifest = read_json(folder / "manifest.json")
    del manifest["checksum"], manifest["settings"]
    write_json(folder / "manifest.json", manifest)
    assert len(Prepared.open(folder).split("train").labels) == 6


def test_statistics_of_each_channel():
    images = np.random.default_rng(1).integers(0, 200, (7, 5, 5, 3), dtype=np.uint8)
    images[..., 2] = 51
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 1, 2)), rtol=1e-12, atol=1e-15)
    assert (mean[2], std[2]) == (0.2, 0)

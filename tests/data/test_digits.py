"""Tests of nasmake.data.preparing.digits and nasmake.data.preparing.prepare."""

import subprocess
import sys

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.core.provenance import without_provenance
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.prepare import prepare
from sklearn.datasets import load_digits

NAMES = ("digits", "digits_canvas")


def make(name, path):
    prepare({"name": name, "path": str(path)}, path / name)
    return Prepared.open(path / name)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets")
    return {name: make(name, path) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_class_balance(prepared, name):
    train, test = prepared[name].split("train"), prepared[name].split("test")
    assert (len(train.labels), len(test.labels)) == (1200, 597)
    total = np.bincount(load_digits().target)
    assert np.all(np.abs(np.bincount(train.labels) - total * 1200 / 1797) < 1)
    assert prepared[name].manifest["train"]["per_class"]["3"] == np.sum(train.labels == 3)


def test_digits_are_the_real_ones_and_each_is_in_one_part(prepared):
    images = np.concatenate([prepared["digits"].split(part).images for part in ("train", "test")])
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.uint8
    original = np.rint(load_digits().images * 255 / 16).astype(np.uint8)[..., None]
    assert sorted(image.tobytes() for image in images) == sorted(image.tobytes() for image in original)


def test_both_variants_have_the_same_split(prepared):
    for part in ("train", "test"):
        plain, canvas = (prepared[name].split(part) for name in NAMES)
        np.testing.assert_array_equal(plain.labels, canvas.labels)


def test_canvas_holds_the_digit_at_some_offset(prepared):
    plain, canvas = (prepared[name].split("train").images[..., 0].astype(float) for name in NAMES)
    assert canvas.shape == (1200, 12, 12)
    corners = [(top, left) for top in range(5) for left in range(5)]
    windows = np.stack([canvas[:, top : top + 8, left : left + 8] for top, left in corners])
    found = (windows * (plain - plain.mean(axis=(1, 2), keepdims=True))).sum(axis=(2, 3)).argmax(axis=0)
    assert np.bincount(found, minlength=25).min() > 20  # every offset occurs
    noise = windows[found, np.arange(1200)] * 1.8 / 255 - 0.4 - plain / 255  # grey 0 stands for -0.4, 255 for 1.4
    assert abs(noise.mean()) < 0.02 and 0.18 < noise.std() < 0.22


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_twice(prepared, name, tmp_path):
    again = make(name, tmp_path)
    assert without_provenance(again.manifest) == without_provenance(prepared[name].manifest)
    for file in again.manifest["sha256"]:
        assert (again.folder / file).read_bytes() == (prepared[name].folder / file).read_bytes()


def test_the_split_is_the_published_one(prepared):
    """Every study on digits depends on it: a change here changes all of them."""
    checksums = {name: prepared[name].manifest["sha256"]["train_images.npy"][:16] for name in NAMES}
    assert checksums == {"digits": "3448af518d594a82", "digits_canvas": "581087f39811381f"}


def test_manifest_statistics(prepared):
    manifest = prepared["digits"].manifest
    images = prepared["digits"].split("train").images / 255
    assert manifest["mean"] == pytest.approx([images.mean()])
    assert manifest["std"] == pytest.approx([images.std()])
    assert manifest["image_shape"] == [8, 8, 1]
    assert manifest["classes"] == list("0123456789")


def test_unknown_name(tmp_path):
    with pytest.raises(InputError, match=r"dataset.name is kmnist; expected one of cifar10, cifar100, digits"):
        prepare({"name": "kmnist", "path": str(tmp_path)}, tmp_path / "kmnist")


def test_preparing_loads_no_torch_and_reading_the_workflow_no_numpy(tmp_path):
    code = (
        "import sys, pathlib, nasmake.data.preparing.image_folder\n"
        "assert not {'numpy', 'PIL', 'sklearn', 'torch'} & sys.modules.keys()\n"
        "from nasmake.data.preparing.prepare import prepare\n"
        "prepare({'name': 'digits', 'path': sys.argv[1]}, pathlib.Path(sys.argv[1]) / 'digits')\n"
        "assert not {'torch', 'torchvision', 'lightning'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)

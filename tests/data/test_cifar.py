"""Tests of nasmake.data.preparing.cifar; those of downloads are in test_download.py."""

import hashlib
import os
import pickle
import tarfile

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.core.provenance import without_provenance
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.prepare import prepare
from small_data import (
    CIFAR10_NAMES,
    balanced_labels,
    cifar10_members,
    patterned_images,
    python2_pickle,
    serve,
    write_cifar10_archive,
    write_cifar100_archive,
    write_tar,
)

ARCHIVE10, ARCHIVE100 = "cifar-10-python.tar.gz", "cifar-100-python.tar.gz"
NOWHERE = "http://127.0.0.1:9/nothing.tar.gz"  # the port of `discard`: nothing listens


def make(path, name="cifar10", **settings):
    prepare({"name": name, "path": str(path), **settings}, path / name)
    return Prepared.open(path / name)


def test_download_over_http(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / "server" / ARCHIVE10, batch_sizes=[30, 1, 12], test_count=20, seed=7)
    with serve(tmp_path / "server") as url:
        prepared = make(tmp_path / "data", url=f"{url}/{ARCHIVE10}", sha256=sha256)
    train, test = prepared.split("train"), prepared.split("test")
    assert train.images.shape == (43, 32, 32, 3) and test.images.shape == (20, 32, 32, 3)
    labels = balanced_labels(30, 10, 7)
    assert train.labels[:30].tolist() == labels
    np.testing.assert_array_equal(train.images[:30], patterned_images(labels, 1007))
    assert prepared.manifest["classes"] == CIFAR10_NAMES
    assert prepared.manifest["source"] == {"archive": ARCHIVE10, "sha256": sha256}
    assert prepared.manifest["provenance"]["url"] == f"{url}/{ARCHIVE10}"
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".cifar10.lock", ARCHIVE10, "cifar10"]


def test_archive_that_is_there_is_used_without_download(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / ARCHIVE10)
    prepared = make(tmp_path, url=NOWHERE, sha256=sha256.upper())
    assert prepared.manifest["train"]["count"] == 200


def test_file_url_and_same_bytes_again(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / "elsewhere.tar.gz")
    settings = {"url": (tmp_path / "elsewhere.tar.gz").as_uri(), "sha256": sha256}
    first = make(tmp_path / "data", **settings)
    (tmp_path / "elsewhere.tar.gz").unlink()
    assert without_provenance(make(tmp_path / "data", **settings).manifest) == without_provenance(first.manifest)


def test_cifar100_has_fine_labels(tmp_path):
    sha256 = write_cifar100_archive(tmp_path / ARCHIVE100)
    prepared = make(tmp_path, "cifar100", sha256=sha256)
    assert prepared.manifest["classes"][42] == "fine42"
    assert np.bincount(prepared.split("train").labels).tolist() == [3] * 100
    assert np.bincount(prepared.split("test").labels).tolist() == [1] * 100


def test_more_than_nine_batches_stay_in_order(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / ARCHIVE10, batch_sizes=[2] * 11)
    labels = [label for batch in range(11) for label in balanced_labels(2, 10, batch)]
    assert make(tmp_path, sha256=sha256).split("train").labels.tolist() == labels


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_batches_written_by_python_3(tmp_path, protocol):
    members = cifar10_members(10, 10, 0, [10])
    rows = np.arange(3 * 3072, dtype=np.uint8).reshape(3, 3072)
    batch = {b"data": rows, b"labels": list(np.array([9, 0, 1]))}
    members["cifar-10-batches-py/data_batch_1"] = pickle.dumps(batch, protocol)
    train = make(tmp_path, sha256=write_tar(tmp_path / ARCHIVE10, members)).split("train")
    assert train.labels.tolist() == [9, 0, 1]
    np.testing.assert_array_equal(train.images[2, 1, 5], rows[2].reshape(3, 32, 32)[:, 1, 5])


def test_wrong_checksum_of_a_local_archive(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / ARCHIVE10)
    with pytest.raises(InputError) as caught:
        make(tmp_path, url=NOWHERE)
    message = str(caught.value)
    rejected = tmp_path / f"{ARCHIVE10}.rejected"
    assert rejected.exists() and not (tmp_path / ARCHIVE10).exists()
    assert all(part in message for part in (str(rejected), "6d958be0745", sha256, f"dataset.sha256: {sha256}"))
    assert "\n" not in message


def test_wrong_checksum_of_a_download(tmp_path):
    write_cifar10_archive(tmp_path / "server" / ARCHIVE10)
    with serve(tmp_path / "server") as url, pytest.raises(InputError, match="wrong checksum"):
        make(tmp_path / "data", url=f"{url}/{ARCHIVE10}", sha256="0" * 64)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".cifar10.lock", f"{ARCHIVE10}.rejected"]


@pytest.mark.parametrize("url", [NOWHERE, "file:///does/not/exist.tar.gz"])
def test_no_source(tmp_path, url):
    with pytest.raises(InputError, match=r"download failed .* put the archive at .*cifar-10-python.tar.gz by hand$"):
        make(tmp_path, url=url)
    assert [path.name for path in tmp_path.iterdir()] == [".cifar10.lock"]


class Malicious:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def refused(tmp_path, changed, message):
    members = cifar10_members(10, 10, 0, [10]) | changed
    sha256 = write_tar(
        tmp_path / ARCHIVE10, {name: content for name, content in members.items() if content is not None}
    )
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path, sha256=sha256)
    assert str(caught.value).startswith(f"{tmp_path / ARCHIVE10}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "cifar10").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [(os.system, ("touch pwned",), "system"), (eval, ("1",), "eval"), (np.load, ("x",), "load")],
)
def test_pickle_that_calls_something_is_refused(tmp_path, protocol, function, arguments, named, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({b"data": Malicious(function, *arguments)}, protocol)
    message = rf"cifar-10-batches-py/test_batch cannot be read \(it asks for \w+\.{named}, which has no place"
    refused(tmp_path, {"cifar-10-batches-py/test_batch": content}, message)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["../evil", "cifar-10-batches-py/../../evil", "/etc/evil"])
def test_member_outside_of_the_archive_is_refused(tmp_path, name):
    refused(tmp_path, {name: b""}, f"its member {name} points outside of it")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_link_or_device_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("cifar-10-batches-py/test_batch")
    member.type, member.linkname = kind, "cifar-10-batches-py/data_batch_1"
    refused(tmp_path, {member.name: member}, "is a link or a device")


def batch(rows, labels):
    return python2_pickle({"data": rows, "labels": labels})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"its member cifar-10-batches-py/test_batch is missing"),
        (b"not a pickle", "cannot be read"),
        (python2_pickle([1]), "holds no dictionary"),
        (batch(np.zeros((2, 3071), np.uint8), [0, 1]), "not rows of 3072 uint8 values"),
        (batch(np.zeros((2, 3072), np.float32), [0, 1]), "not rows of 3072 uint8 values"),
        (batch(np.zeros((2, 3072), np.uint8), [0]), "has 2 images, but not as many labels"),
        (batch(np.zeros((0, 3072), np.uint8), []), "has 0 images"),
        (batch(np.zeros((2, 3072), np.uint8), [0, 10]), "labels from 0 to 9 only"),
        (batch(np.zeros((2, 3072), np.uint8), [0, -1]), "labels from 0 to 9 only"),
        (batch(np.zeros((2, 3072), np.uint8), [0, 0.5]), "labels from 0 to 9 only"),
        (batch(np.zeros((2, 3072), np.uint8), None), "not as many labels"),
    ],
)
def test_damaged_batch(tmp_path, content, message):
    refused(tmp_path, {"cifar-10-batches-py/test_batch": content}, message)


@pytest.mark.parametrize(
    ("names", "message"), [(["cat"], "do not name 10 classes"), ([["cat"]], "no list"), (3, "no list")]
)
def test_damaged_meta_data(tmp_path, names, message):
    refused(tmp_path, {"cifar-10-batches-py/batches.meta": python2_pickle({"label_names": names})}, message)


def test_no_training_batch(tmp_path):
    refused(tmp_path, {"cifar-10-batches-py/data_batch_1": None}, r"data_batch_\* is missing")


def test_right_checksum_of_something_else(tmp_path):
    (tmp_path / ARCHIVE10).write_bytes(b"hello")
    with pytest.raises(InputError, match="not a readable archive"):
        make(tmp_path, sha256=hashlib.sha256(b"hello").hexdigest())

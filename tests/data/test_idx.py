"""Tests of nasmake.data.preparing.idx with small files; the real files are used in tests/workflow/test_data_sets.py."""

import gzip
import hashlib
import logging
from dataclasses import replace

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.data.preparing import idx
from nasmake.data.preparing.idx import FASHION_MNIST, MNIST, make_idx, read_idx
from small_data import serve

NOWHERE = "http://127.0.0.1:9/"  # the port of `discard`: nothing listens
NAMES = [*idx.TRAIN, *idx.TEST]


def idx_bytes(array):
    """What the format's definition says: two zeros, type 8 for uint8, dimensions, sizes as big-endian, values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def contents(seed=0):
    generator = np.random.default_rng(seed)
    return {
        name: idx_bytes(generator.integers(0, 10, (count, 28, 28) if "images" in name else count, dtype=np.uint8))
        for name, count in zip(NAMES, (30, 30, 20, 20), strict=True)
    }


CONTENTS = contents()


def digests(files):
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def compressed(content):
    return gzip.compress(content, mtime=0)


SMALL = replace(
    FASHION_MNIST,
    sha256=digests(CONTENTS),
    sha256_gz=digests({name: compressed(content) for name, content in CONTENTS.items()}),
    package=None,
)


def write(folder, files=CONTENTS, is_compressed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}{'.gz' * is_compressed}").write_bytes(compressed(content) if is_compressed else content)
    return folder


def make(path, **settings):
    return make_idx(SMALL, {"name": "fashion_mnist", "path": str(path), "url": NOWHERE} | settings)


def error_of(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("place", [".", "raw", "FashionMNIST/raw"])
def test_files_in_the_path_are_found(tmp_path, place, is_compressed, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path / place, is_compressed=is_compressed)
    data = make(tmp_path)
    images = np.frombuffer(CONTENTS[idx.TEST[0]][16:], np.uint8).reshape(20, 28, 28, 1)
    np.testing.assert_array_equal(data.test.images, images)
    assert data.train.images.shape == (30, 28, 28, 1) and data.train.labels.dtype == np.int64
    assert data.train.labels.tolist() == list(CONTENTS[idx.TRAIN[1]][8:])
    assert (data.classes[9], data.url) == ("Ankle boot", None)
    assert caplog.messages[0].startswith(f"source: {tmp_path / place}")


def test_debians_package_is_found_and_named(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    installed = write(tmp_path / "usr", is_compressed=True)
    monkeypatch.setattr(idx, "FASHION_MNIST", replace(SMALL, package=("dataset-fashion-mnist", installed)))
    idx.make_fashion_mnist({"name": "fashion_mnist", "path": str(tmp_path / "data")})
    assert caplog.messages == [f"source: {installed} (Debian's package dataset-fashion-mnist)"]
    assert not (tmp_path / "data").exists()


def test_missing_files_are_downloaded_once(tmp_path):
    write(tmp_path / "server", is_compressed=True)
    with serve(tmp_path / "server") as url:
        data = make(tmp_path / "data", url=url)
    assert data.url == url
    assert sorted(path.name for path in (tmp_path / "data/fashion_mnist_idx").iterdir()) == sorted(
        f"{name}.gz" for name in NAMES
    )
    again = make(tmp_path / "data")
    np.testing.assert_array_equal(again.train.images, data.train.images)
    assert again.source == data.source == {"sha256": SMALL.sha256}


def test_download_of_another_file(tmp_path):
    write(tmp_path / "server", contents(seed=1), is_compressed=True)
    with serve(tmp_path / "server") as url:
        text = error_of(lambda: make(tmp_path / "data", url=url))
    found = hashlib.sha256(compressed(contents(seed=1)[NAMES[0]])).hexdigest()
    rejected = tmp_path / f"data/fashion_mnist_idx/{NAMES[0]}.gz.rejected"
    assert text == (
        f"{rejected}: wrong checksum; sha256 is {found}; expected {SMALL.sha256_gz[NAMES[0]]}; start again to download "
        "the archive"
    )


def test_no_source(tmp_path):
    assert error_of(make, tmp_path).endswith(
        f"set dataset.url to a mirror, or put the archive at {tmp_path}/fashion_mnist_idx/{NAMES[0]}.gz by hand"
    )


def test_files_of_another_data_set(tmp_path):
    write(tmp_path, contents(seed=1))
    found, expected = digests(contents(seed=1))[NAMES[0]], SMALL.sha256[NAMES[0]]
    assert error_of(make, tmp_path) == (
        f"{tmp_path}/{NAMES[0]}: sha256 of its content is {found}; expected {expected}, that of Fashion-MNIST; remove "
        "it or replace it"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with bytes none; expected 00000803"),
        (b"\x00\x00\x0d\x03", "begins with bytes 00000d03; expected 00000803"),
        (CONTENTS[NAMES[1]], "begins with bytes 00000801; expected 00000803"),
        (CONTENTS[NAMES[0]][:15], "has 15 bytes; expected a header of 16"),
        (CONTENTS[NAMES[0]][:-1], "has 23535 bytes; expected 23536, because its header says 30 x 28 x 28"),
        (CONTENTS[NAMES[0]] + b"0", "has 23537 bytes; expected 23536, because its header says 30 x 28 x 28"),
        (
            b"\x00\x00\x08\x03" + b"\xff" * 12,
            "has 16 bytes; expected 79228162458924105385300197391, because its header ",
        ),
    ],
)
def test_damaged_file(tmp_path, content, message):
    path = tmp_path / NAMES[0]
    path.write_bytes(content)
    assert error_of(read_idx, path).startswith(f"{path}: {message}")


@pytest.mark.parametrize("content", [b"not gzip", compressed(CONTENTS[NAMES[0]])[:-9], compressed(b"x")[:12] + b"zzz"])
def test_damaged_compression(tmp_path, content):
    path = tmp_path / f"{NAMES[0]}.gz"
    path.write_bytes(content)
    text = error_of(read_idx, path)
    assert text.startswith(f"{path}: cannot be read (") and text.endswith("); remove it or replace it")


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "LARGEST", 1000)
    write(tmp_path, is_compressed=True)
    assert error_of(make, tmp_path).endswith("has 1000 bytes; expected 23536, because its header says 30 x 28 x 28")


def test_the_official_sets_have_all_files():
    for known in (MNIST, FASHION_MNIST):
        assert known.sha256.keys() == known.sha256_gz.keys() == set(NAMES)
        assert len(set(known.classes)) == 10

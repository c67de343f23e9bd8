"""Tests of nasmake.data.preparing.shared_folder and prepare: a folder that several runs share."""

import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.core.provenance import without_provenance
from nasmake.data.manifest import sealed
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.prepare import prepare
from nasmake.data.preparing.shared_folder import locked
from small_data import write_cifar10_archive, write_image_folder

ARCHIVE = "cifar-10-python.tar.gz"
PREPARE = "import json, sys, pathlib, logging; from nasmake.data.preparing.prepare import prepare; "
PREPARE += "logging.basicConfig(level='INFO', format='%(message)s', stream=sys.stdout); "


def digits(path, **changes):
    return prepare({"name": "digits", "path": str(path), "version": 1, **changes}, path / "digits")


def times(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_intact_set_is_left_untouched_without_its_archive(tmp_path, caplog):
    sha256 = write_cifar10_archive(tmp_path / ARCHIVE)
    settings = {"name": "cifar10", "path": str(tmp_path), "sha256": sha256}
    first = prepare(settings, tmp_path / "cifar10")
    before = times(tmp_path / "cifar10")
    (tmp_path / ARCHIVE).unlink()
    caplog.set_level("INFO")
    assert prepare(settings | {"path": os.path.relpath(tmp_path)}, tmp_path / "cifar10") == first
    assert times(tmp_path / "cifar10") == before
    assert f"data set: {tmp_path}/cifar10 (already there, all checksums ok)" in caplog.text


def test_set_of_other_settings_is_replaced(tmp_path):
    first = digits(tmp_path)
    second = digits(tmp_path, version=2)
    assert second["settings"] == {"name": "digits", "sha256": None, "image_size": None, "version": 2}
    assert first["sha256"] == second["sha256"] and Prepared.open(tmp_path / "digits").manifest == second


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", [flip, os.unlink, lambda path: os.truncate(path, 100)])
def test_damaged_set_is_made_again(tmp_path, file, damage):
    first = digits(tmp_path)
    damage(tmp_path / "digits" / file)
    assert without_provenance(digits(tmp_path)) == without_provenance(first)
    for split in ("train", "test"):
        Prepared.open(tmp_path / "digits").split(split)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".digits.lock", "digits"]


def test_set_of_an_earlier_version_is_made_again_with_the_same_arrays(tmp_path):
    first = digits(tmp_path)
    old = {key: value for key, value in first.items() if key not in ("settings", "checksum")}
    write_json(tmp_path / "digits" / "manifest.json", old)
    assert without_provenance(digits(tmp_path)) == without_provenance(first)


def test_changed_image_is_noticed(tmp_path):
    write_image_folder(tmp_path, per_class=2)
    settings, folder = {"name": "image_folder", "path": str(tmp_path), "image_size": 8}, tmp_path / "image_folder"
    first = prepare(settings, folder)
    before = times(folder)
    assert prepare(settings, folder) == first and times(folder) == before
    shutil.copyfile(tmp_path / "train" / "bee" / "000.png", tmp_path / "train" / "apple" / "000.png")
    second = prepare(settings, folder)
    assert second["sha256"]["train_images.npy"] != first["sha256"]["train_images.npy"]
    os.utime(tmp_path / "train" / "apple" / "000.png")
    third = prepare(settings, folder)
    assert times(folder) != before and without_provenance(third) == without_provenance(second)


def test_reader_keeps_its_arrays_while_the_set_is_replaced(tmp_path):
    digits(tmp_path)
    images, _ = Prepared.open(tmp_path / "digits").split("train")
    copy = np.array(images)
    digits(tmp_path, version=2)
    np.testing.assert_array_equal(images, copy)


def test_files_of_the_user_are_never_replaced(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"digits/thesis.tex is no file of a prepared data set; .*; type: mv "):
        digits(tmp_path)
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["thesis.tex"]


def test_link_to_a_shared_folder_stays_a_link(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "digits").symlink_to(tmp_path / "shared" / "digits")
    digits(tmp_path / "mine")
    assert (tmp_path / "mine" / "digits").is_symlink() and (tmp_path / "shared" / "digits" / "manifest.json").is_file()


def test_failed_preparation_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".digits.lock"]


def start(path, before="pass"):
    code = f"{PREPARE}{before}; prepare({{'name': 'digits', 'path': sys.argv[1]}}, pathlib.Path(sys.argv[1], 'digits'))"
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)


def test_killed_preparation_is_swept_by_the_next_one(tmp_path):
    kill = "import os; os.rename = lambda *_: os.kill(os.getpid(), 9); pathlib.Path.rename = os.rename"
    killed = start(tmp_path, kill)
    assert killed.wait(timeout=60) == -9
    left = f".digits.{socket.gethostname()}.{killed.pid}.tmp"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".digits.lock", left]
    digits(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".digits.lock", "digits"]


def test_processes_wait_for_each_other_and_one_of_them_prepares(tmp_path):
    with locked(tmp_path / "digits"):
        processes = [start(tmp_path) for _ in range(2)]
        for process in processes:
            assert process.stdout.readline() == f"waiting: another process prepares {tmp_path}/digits\n"
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert sorted("already there, all checksums ok" in output for output in outputs) == [False, True]
    assert [process.returncode for process in processes] == [0, 0]
    Prepared.open(tmp_path / "digits").split("train")


def test_sets_with_the_same_checksum_of_the_manifest_differ_in_provenance_only(tmp_path):
    first, second = digits(tmp_path / "a"), digits(tmp_path / "b")
    assert first["checksum"] == second["checksum"] == sealed(first | {"provenance": {}})["checksum"]

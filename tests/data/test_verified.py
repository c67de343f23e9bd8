import os
import time

import pytest
from nasmake.core.files import sha256_of
from nasmake.data import verified
from nasmake.data.verified import REMEMBERED, verify_once


@pytest.fixture
def read(monkeypatch, tmp_path):
    """The files whose content was read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = []

    def counted(path):
        paths.append(path)
        return sha256_of(path)

    monkeypatch.setattr(verified, "sha256_of", counted)
    return paths


def test_file_is_read_once_until_it_changes(tmp_path, read):
    path = tmp_path / "array"
    path.write_bytes(b"content")
    expected = sha256_of(path)
    assert [verify_once(path, expected) for _ in range(3)] == [expected] * 3
    assert read == [path]
    path.write_bytes(b"CONTENT")
    assert verify_once(path, expected) == sha256_of(path) != expected
    assert verify_once(path, expected) != expected and read == [path] * 3


def test_old_verdicts_are_forgotten(tmp_path, read):
    path = tmp_path / "array"
    path.write_bytes(b"content")
    verify_once(path, sha256_of(path))
    (mark,) = (tmp_path / "cache" / "nasmake" / "verified").iterdir()
    old = time.time() - REMEMBERED - 1
    os.utime(mark, (old, old))
    other = tmp_path / "other"
    other.write_bytes(b"content")
    verify_once(other, sha256_of(other))
    assert not mark.exists()


def test_without_a_cache_folder_the_file_is_read_every_time(tmp_path, read, monkeypatch):
    path = tmp_path / "array"
    path.write_bytes(b"content")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    assert [verify_once(path, sha256_of(path)) for _ in range(2)] == [sha256_of(path)] * 2
    assert read == [path] * 2

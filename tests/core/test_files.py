"""Tests of nasmake.core.files and nasmake.core.provenance."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import (
    canonical_json,
    digest_of,
    fingerprint,
    read_csv,
    read_json,
    read_text,
    sha256_of,
    write_atomically,
    write_csv,
    write_json,
)
from nasmake.core.provenance import RECORDED_PACKAGES, provenance, without_provenance


def test_write_makes_folders_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_old_content_is_kept_under_another_name(tmp_path):
    path, kept = tmp_path / "new", tmp_path / "old"
    write_atomically(path, b"1", keep_as=kept)
    assert not kept.exists()
    write_atomically(path, b"2", keep_as=kept)
    write_atomically(path, b"3", keep_as=kept)
    assert (path.read_bytes(), kept.read_bytes()) == (b"3", b"2")


def test_process_that_dies_while_writing_leaves_the_old_content(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    code = (
        "import os, sys, pathlib, nasmake.core.files as a\n"
        "os.fsync = lambda descriptor: os._exit(9)\n"  # the content is in the temporary file, the rename is not done
        "a.write_atomically(pathlib.Path(sys.argv[1]), b'new' * 100000)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=60).returncode == 9
    assert path.read_bytes() == b"old"


def test_json_has_sorted_keys_and_a_newline_and_comes_back(tmp_path):
    content = {"b": [1, 0.1, None], "a": {"d": "ü", "c": True}}
    write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text()
    assert text.endswith("}\n") and text.index('"a"') < text.index('"b"') and text.index('"c"') < text.index('"d"')
    assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_without_json_form_are_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"a": value})
    with pytest.raises(ValueError):
        canonical_json([value])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "no such file"),
        (b'{"a": 1', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "not JSON"),
        (b"[1]", "expected a JSON object, found list"),
    ],
)
def test_unreadable_json_is_one_line_with_the_path(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value) and "\n" not in str(error.value)


def test_csv_keeps_order_of_columns_and_leaves_missing_cells_empty(tmp_path):
    write_csv(tmp_path / "x.csv", [{"b": 0.1, "a": 1}, {"a": 2}], ["a", "b"])
    assert (tmp_path / "x.csv").read_bytes() == b"a,b\n1,0.1\n2,\n"
    assert read_csv(tmp_path / "x.csv") == [{"a": "1", "b": "0.1"}, {"a": "2", "b": ""}]
    with pytest.raises(ValueError):
        write_csv(tmp_path / "x.csv", [{"c": 1}], ["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"\xff", "line 1: not UTF-8"),
        (b'a,b\n"1,2\n', "not CSV"),
        (b"a,c\n1,2\n", "column b is missing; the file has a, c"),
        (b"", "column a is missing; the file has none"),
        (b"a,b\n1,2\n1,0.", "ends within a row"),
        (b"a,b\n1\n", "row 1 has another number of cells than the header"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has another number of cells than the header"),
    ],
)
def test_damaged_csv_is_one_line_with_the_path(tmp_path, content, message):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_csv(path, columns=("a", "b"))
    assert str(error.value).startswith(f"{path}: {message}") and str(error.value).isprintable()


def test_csv_numbers_come_back_exactly(tmp_path):
    value = 0.1 + 0.2
    write_csv(tmp_path / "x.csv", [{"a": value}], ["a"])
    assert float(read_csv(tmp_path / "x.csv")[0]["a"]) == value


def test_fingerprint_ignores_the_order_of_keys_and_nothing_else():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    different = [(1, 2), ([1, 2],), ("1", 2), (2, 1), (1,), ({"a": 1},), (1.5,), (None,), ("",), ()]
    assert len({fingerprint(*parts) for parts in different}) == len(different)
    assert all(len(fingerprint(*parts)) == 16 for parts in different)


def test_digest_ignores_provenance_of_json_but_not_its_facts(tmp_path):
    paths = [tmp_path / f"{name}.json" for name in "abc"]
    for path, fact, made in zip(paths, (1, 1, 2), ("now", "then", "now"), strict=True):
        write_json(path, {"fact": fact, "provenance": {"made": made}})
    first, second, third = digest_of(paths)
    assert first == second != third


def test_digest_of_other_files_is_their_checksum(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_of([tmp_path / "w.safetensors"]) == [expected] == [sha256_of(tmp_path / "w.safetensors")]


def test_provenance_is_json_and_the_only_block_left_out():
    made = provenance(0.0, device="CPU")
    json.dumps(made, allow_nan=False)
    assert made["versions"].keys() == set(RECORDED_PACKAGES) and all(made["versions"].values())
    assert made["started"] == "1970-01-01T00:00:00Z" and made["device"] == "CPU"
    assert without_provenance({"a": 1, "provenance": made}) == {"a": 1}


def test_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_path_without_permission_is_the_systems_error_and_keeps_the_old(tmp_path):
    (tmp_path / "file").write_bytes(b"a file, no folder")
    with pytest.raises(OSError):
        write_atomically(Path(tmp_path / "file" / "x"), b"")
    assert (tmp_path / "file").read_bytes() == b"a file, no folder"


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis", "latin-1"])
def test_other_encoding_names_file_and_line(tmp_path, encoding):
    path = tmp_path / "x.yaml"
    path.write_text("seed: 1\n# " + ("é" if encoding == "latin-1" else "テスト"), encoding=encoding)
    with pytest.raises(InputError) as error:
        read_text(path)
    line = 1 if encoding == "utf-16" else 2  # a UTF-16 file begins with a mark
    assert str(error.value) == f"{path}: line {line}: not UTF-8; expected a text file in UTF-8"


def test_byte_order_mark_of_utf_8_is_no_part_of_the_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfrun: a\n")
    assert read_text(tmp_path / "x.yaml") == "run: a\n"


def test_file_that_cannot_be_read_is_one_line(tmp_path):
    for path, text in ((tmp_path, "Is a directory"), (tmp_path / ("n" * 300), "File name too long")):
        with pytest.raises(InputError) as error:
            read_text(path)
        assert str(error.value) == f"{path}: cannot be read ({text})"
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path / "\0")

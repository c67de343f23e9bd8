"""Read and write artefacts, and compare files by their content.

An artefact is a file that another job reads. Every artefact is written completely or not at all.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError, cut
from nasmake.core.json_text import parse_json
from nasmake.core.process import rank
from nasmake.core.provenance import without_provenance

TEMPORARY = re.compile(r"(?P<host>\..+)\.(?P<pid>[0-9]+)\.tmp")  # of `temporary_for`; the host is the end of its group
ABANDONED_AFTER = 24 * 60 * 60  # seconds; no file takes as long to write


def write_atomically(path: Path, content: bytes, keep_as: Path | None = None) -> None:
    """Replace the content of `path`, and create its folder if necessary.

    A reader finds either the old or the new content, never a mixture, even after a crash or a power cut. Only rank 0
    of a job writes; the other ranks return at once.

    Args:
        path: the file to write.
        content: the new content.
        keep_as: a second name, under which the old content is kept.
    """
    if rank() > 0:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_for(path)
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if keep_as is not None and path.exists():
            path.replace(keep_as)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # after an exception, such as that of a full disk
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk. Without this call, a power cut could undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_for(path: Path) -> Path:
    """Return the name under which this process prepares the file or folder `path`.

    It lies beside `path`, because a rename is atomic within one file system only.
    """
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")


def sweep_temporaries(folder: Path) -> None:
    """Remove what processes that died have left in `folder`: files and folders named by `temporary_for`.

    A process of another host cannot be seen. Its temporaries are removed when they are a day old.
    """
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # another process sweeps too, or the file is not ours to remove
            if _is_abandoned(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_abandoned(temporary: Path) -> bool:
    named = TEMPORARY.fullmatch(temporary.name)
    if named is None:
        return False
    if time.time() - temporary.stat().st_mtime > ABANDONED_AFTER:
        return True
    return named["host"].endswith(f".{socket.gethostname()}") and not _is_alive(int(named["pid"]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it belongs to another user
        pass
    return True


def canonical_json(content: Any) -> str:
    """Return JSON text with sorted keys and without white space: equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON artefact with sorted keys.

    Raises:
        ValueError: a number is NaN or infinite. JSON has no form for these numbers.
    """
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON artefact.

    Raises:
        InputError: the file is missing or does not hold a JSON object.
    """
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows under a header. A cell stays empty where its row lacks the column.

    Raises:
        ValueError: a row has a key that is not in `columns`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def read_csv(path: Path, delimiter: str = ",", columns: Iterable[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a CSV file. All values are text.

    Args:
        path: the file.
        delimiter: the character between two cells.
        columns: names of columns that the file must have.

    Raises:
        InputError: the file is missing or damaged, lacks a column, or has a row with too few or too many cells.
    """
    text = read_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows, names = list(reader), reader.fieldnames or []
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error})") from None
    for column in columns:
        if column not in names:
            raise InputError(f"{path}: column {column} is missing; the file has {cut(', '.join(names)) or 'none'}")
    if not text.endswith("\n"):
        raise InputError(f"{path}: ends within a row; expected a complete file")
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise InputError(f"{path}: row {number} has another number of cells than the header")
    return rows


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises:
        InputError: the file cannot be read, or has another encoding.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: not UTF-8; expected a text file in UTF-8") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL in the path
        raise InputError(f"{path}: cannot be read (no name of a file)") from None


def is_file(path: Path) -> bool:
    """Return whether the path is a file; a path that the system refuses, such as one too long, is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(*parts: Any) -> str:
    """Return a hash of values that JSON can hold, as 16 hexadecimal digits."""
    return hashlib.blake2b(canonical_json(parts).encode(), digest_size=8).hexdigest()


def digest_of(paths: Iterable[Path]) -> list[str]:
    """Return a checksum for each file.

    The provenance block of a JSON file does not enter its checksum. An artefact that is written again with the same
    facts therefore has the same checksum.
    """
    return [
        fingerprint(without_provenance(read_json(path))) if path.suffix == ".json" else sha256_of(path)
        for path in paths
    ]

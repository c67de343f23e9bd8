"""Read and write artefacts, and compare files by their content.

An artefact is a file that another job reads. Every artefact is written completely or not at all.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.errors import InputError
from nasmake.core.process import rank
from nasmake.core.provenance import without_provenance


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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # a rename is atomic within one file system only
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    if keep_as is not None and path.exists():
        path.replace(keep_as)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without this call, a power cut could undo the rename
    finally:
        os.close(folder)


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
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
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


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a CSV file. All values are text."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


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

"""Files that other jobs read: written whole or not at all, and compared by their content."""

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
    """Replace `path`, so that a reader, or a crash at any moment, finds the old or the new content, never a mixture.

    With `keep_as`, the old content stays under that name. Of several processes of a job only rank 0 writes.
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
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canonical_json(content: Any) -> str:
    """JSON with sorted keys and no white space: equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` with sorted keys.

    Raises:
        ValueError: a number is NaN or infinite; such a value has no JSON form.
    """
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read one artefact.

    Raises:
        InputError: the file is missing or is not a JSON object.
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
    """Write `rows` under a header; a cell whose key is missing stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a history file, as text."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


def sha256_of(path: Path) -> str:
    """Checksum of a file's content, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits that stand for JSON-able `parts`."""
    return hashlib.blake2b(canonical_json(parts).encode(), digest_size=8).hexdigest()


def digest_of(paths: Iterable[Path]) -> list[str]:
    """Checksums of inputs, for fingerprints: provenance of JSON files is left out, so that a remade input is equal."""
    return [
        fingerprint(without_provenance(read_json(path))) if path.suffix == ".json" else sha256_of(path)
        for path in paths
    ]

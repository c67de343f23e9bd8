"""Checkpoints that survive a kill at any moment and a flipped bit."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nasmake.core.files import write_atomically
from nasmake.engine.lightning import TorchCheckpointIO


class TwoGenerations(TorchCheckpointIO):
    """Keeps the last two checkpoints, each behind its checksum; a write is atomic.

    Lightning's own save goes through the temporary folder, without fsync: a kill can leave half a file. And torch.load
    does not notice a flipped bit.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace the newest checkpoint, which becomes the one before."""
        path, buffer = Path(path), io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
        write_atomically(path, hashlib.sha256(content).digest() + content, keep_as=_before(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Read what `save_checkpoint` wrote; never more than tensors and plain containers."""
        return read_checkpoint(Path(path), map_location)

    @staticmethod
    def newest(path: Path) -> Path | None:
        """The newest intact checkpoint; a damaged one is removed, so that it never displaces an intact one."""
        for candidate in (path, _before(path)):
            if candidate.is_file() and _content(candidate) is not None:
                return candidate
            candidate.unlink(missing_ok=True)
        return None


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read an intact checkpoint.

    Raises:
        OSError: it is damaged.
    """
    content = _content(path)
    if content is None:
        raise OSError(f"{path}: damaged")
    checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), map_location=map_location, weights_only=True)
    return checkpoint


def final_weights(path: Path) -> dict[str, Tensor]:
    """The weights a stage ends with, from its last checkpoint: the same whichever process trained to the end."""
    weights: dict[str, Tensor] = read_checkpoint(path)["state_dict"]
    return weights


def _before(path: Path) -> Path:
    return path.with_suffix(".previous")


def _content(path: Path) -> bytes | None:
    """What stands behind the checksum; None if it is not what was written."""
    size = hashlib.sha256().digest_size
    written = path.read_bytes()
    return written[size:] if hashlib.sha256(written[size:]).digest() == written[:size] else None

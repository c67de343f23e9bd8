"""Checkpoint files that survive a kill at any moment and in which a flipped bit is noticed.

This module writes and reads the files; `epoch_log` decides when a checkpoint is saved. It may import core and
`engine.lightning`.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nasmake.core.files import write_atomically
from nasmake.engine.lightning import TorchCheckpointIO


class TwoGenerations(TorchCheckpointIO):
    """Checkpoint IO that keeps the last two checkpoints and writes each of them atomically, behind its checksum.

    Lightning's own save goes through the temporary folder without fsync, so a kill can leave half a file. torch.load
    does not notice a flipped bit.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the newest checkpoint; the checkpoint before it stays as the second generation."""
        path, buffer = Path(path), io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
        write_atomically(path, hashlib.sha256(content).digest() + content, keep_as=_previous(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Read a checkpoint; tensors and plain containers are loaded, other objects are refused."""
        return read_checkpoint(Path(path), map_location)

    @staticmethod
    def newest(path: Path) -> Path | None:
        """Return the newest intact checkpoint of `path`, or None if there is none.

        A damaged checkpoint is removed. Otherwise the next save would keep it in place of an intact one.
        """
        for candidate in (path, _previous(path)):
            if candidate.is_file() and _verified_content(candidate) is not None:
                return candidate
            candidate.unlink(missing_ok=True)
        return None


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return the content of an intact checkpoint.

    Args:
        path: the file.
        map_location: the device on which the tensors are put.

    Raises:
        OSError: the checkpoint is damaged.
    """
    content = _verified_content(path)
    if content is None:
        raise OSError(f"{path}: the checkpoint is damaged; its content does not match its checksum")
    checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), map_location=map_location, weights_only=True)
    return checkpoint


def final_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in the last checkpoint of a training, on the CPU and by their names in the module.

    Every process that trained or resumed reads the same bytes here.
    """
    weights: dict[str, Tensor] = read_checkpoint(path)["state_dict"]
    return weights


def _previous(path: Path) -> Path:
    return path.with_suffix(".previous")


def _verified_content(path: Path) -> bytes | None:
    """Return the checkpoint without its checksum, or None if the two do not match."""
    size = hashlib.sha256().digest_size
    written = path.read_bytes()
    return written[size:] if hashlib.sha256(written[size:]).digest() == written[:size] else None

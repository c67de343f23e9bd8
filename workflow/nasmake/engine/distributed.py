"""Several processes that train one network: each takes its part of every batch, and gradients are added up.

Paths, order and augmentation are drawn for the whole batch, alike on all ranks and without a word between them. A rank
normalises its own part in BatchNorm layers; the running statistics that count are rank 0's. No wrapper around the
network: only gradients that exist are added up, and all ranks have the same ones, since they train the same path.
Nothing happens here in a job of one process.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nasmake.core.process import STORE, process_count, rank

# Rank 0 may wait long for the lock of its stage; that another process is gone is noticed at once.
PATIENCE = timedelta(days=30)


class BatchShare(NamedTuple):
    """A rank's part of a batch, and its share of the whole (0..1)."""

    images: Tensor
    labels: Tensor
    share: float


def join(device: torch.device) -> None:
    """Find the other processes of this job."""
    if process_count() > 1 and not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        store = f"file://{os.environ[STORE]}"
        dist.init_process_group(backend, init_method=store, rank=rank(), world_size=process_count(), timeout=PATIENCE)


def share_of_batch(images: Tensor, labels: Tensor) -> BatchShare:
    """This rank's part; parts differ by one image where the batch cannot be divided."""
    count, ranks = len(labels), process_count()
    mine = slice(rank() * count // ranks, (rank() + 1) * count // ranks)
    return BatchShare(images[mine], labels[mine], len(labels[mine]) / count)


def rank_key() -> tuple[int, ...]:
    """What a rank's own random draws are drawn from besides, such as dropout's."""
    return (rank(),) if process_count() > 1 else ()


def add_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over the ranks, in one message."""
    if process_count() == 1:
        return
    gradients = [own.grad for own in parameters if own.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, flat.split([own.numel() for own in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


def sum_over_ranks(sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the sums of all ranks up, in one message: the same numbers on all of them."""
    if process_count() == 1 or not sums:
        return dict(sums)
    stacked = torch.stack([value.detach().float() for value in sums.values()])
    dist.all_reduce(stacked)
    return dict(zip(sums, stacked, strict=True))


def on_any_rank(flag: bool) -> bool:
    """Whether it holds on any rank: all decide alike."""
    if process_count() == 1:
        return flag
    votes = torch.tensor(float(flag), device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(votes)
    return votes.item() > 0


def broadcast_buffers(module: nn.Module) -> None:
    """Take rank 0's running statistics."""
    if process_count() > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)


def wait_for_all() -> None:
    """Return when all ranks are here."""
    if process_count() > 1:
        dist.barrier()

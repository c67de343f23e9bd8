"""Data parallelism: the processes (ranks) of a job train one network, each on its part of every batch.

All ranks draw the same paths, order and augmentation for the whole batch, without communication. The gradients of
their parts are added up. There is no wrapper around the network: only gradients that exist are added, and all ranks
have the same ones, because they train the same path. BatchNorm layers normalise the rank's part by itself. Only the
running statistics of rank 0 are kept.

In a job of one process no function here communicates. This module may import core and data.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nasmake.core.process import STORE, process_count, rank
from nasmake.data.loading.arrays import BatchSource, Share

# Rank 0 may wait long for the lock of its stage. The launcher notices the end of another process at once.
PATIENCE = timedelta(days=30)


class BatchShare(NamedTuple):
    """The part of a batch that one rank trains on.

    Attributes:
        images: [n, C, H, W].
        labels: int64 [n].
        share: n divided by the size of the whole batch, 0..1.
    """

    images: Tensor
    labels: Tensor
    share: float


def join(device: torch.device) -> None:
    """Connect to the other ranks of this job: over NCCL if `device` is a GPU, else over Gloo."""
    if process_count() > 1 and not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        store = f"file://{os.environ[STORE]}"
        dist.init_process_group(backend, init_method=store, rank=rank(), world_size=process_count(), timeout=PATIENCE)


def share_of_batch(source: BatchSource, epoch: int, step: int) -> BatchShare:
    """Return this rank's part of a batch; no other images are decoded, and an image does not depend on the ranks.

    Args:
        source: of the batch.
        epoch: number of the epoch.
        step: number of the step in the epoch.
    """
    images, labels = source.batch(epoch, step, Share(rank(), process_count()))
    return BatchShare(images, labels, len(labels) / len(source.rows(epoch, step)))


def rows_of_share(source: BatchSource, epoch: int, step: int) -> Tensor:
    """Return the indices of the images in this rank's part of a batch, int64 [n]; see `share_of_batch`."""
    rows = source.rows(epoch, step)
    return rows[Share(rank(), process_count()).part(len(rows))].to(source.labels.device)


def rank_key() -> tuple[int, ...]:
    """Return the end of the seed key of draws that differ between ranks, such as those of dropout."""
    return (rank(),) if process_count() > 1 else ()


def add_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over the ranks, in one message; parameters without a gradient are left out."""
    if process_count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))


def sum_over_ranks(sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the totals of all ranks, in one message; every rank gets the same numbers.

    Args:
        sums: tensors of this rank, with the same shape and, on all ranks, the same names.
    """
    if process_count() == 1 or not sums:
        return dict(sums)
    stacked = torch.stack([value.detach().float() for value in sums.values()])
    dist.all_reduce(stacked)
    return dict(zip(sums, stacked, strict=True))


def on_any_rank(condition: bool) -> bool:
    """Return True on every rank if `condition` is True on at least one rank."""
    if process_count() == 1:
        return condition
    votes = torch.tensor(float(condition), device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(votes)
    return votes.item() > 0


def broadcast_buffers(module: nn.Module) -> None:
    """Replace the buffers of `module`, such as running statistics, by those of rank 0."""
    if process_count() > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)


def wait_for_all() -> None:
    """Return when all ranks have called this function."""
    if process_count() > 1:
        dist.barrier()

"""Choose the queue of a job and write its resources in the form that qsub expects.

This module starts no program and imports nothing from the package.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakemake_interface_common.exceptions import ApiError

SHAPE_FORMAT = "QUEUE:gpu=N:threads=N:mem_mb=N"


@dataclass(frozen=True)
class Shape:
    """A queue that gives a job a fixed share of each node, such as half a node.

    Attributes:
        queue: name of the queue.
        gpu: GPUs per node.
        threads: CPU cores per node.
        mem_mb: memory per node, in MB.
    """

    queue: str
    gpu: int
    threads: int
    mem_mb: int

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Parse a value of --pbs-shapes.

        Raises:
            ApiError: `text` does not have the form of SHAPE_FORMAT.
        """
        queue, *parts = text.split(":")
        try:
            return cls(queue, **{name: int(value) for name, _, value in (part.partition("=") for part in parts)})
        except (TypeError, ValueError):
            raise ApiError(f"--pbs-shapes: shape is {text}; expected {SHAPE_FORMAT}") from None


@dataclass(frozen=True)
class Request:
    """Resources that a job requests on each of its nodes.

    Attributes:
        gpu: GPUs per node.
        threads: CPU cores per node.
        mem_mb: memory per node, in MB; 0 requests no particular amount.
        nodes: number of nodes.
    """

    gpu: int
    threads: int
    mem_mb: int
    nodes: int = 1

    @classmethod
    def from_resources(cls, resources: Mapping[str, Any], threads: int) -> "Request":
        """Read the request from the resources and the threads of a Snakemake job."""
        return cls(
            int(resources.get("gpu") or 0),
            threads,
            int(resources.get("mem_mb") or 0),
            int(resources.get("nodes") or 1),
        )

    def __str__(self) -> str:
        return f"gpu={self.gpu} threads={self.threads} mem_mb={self.mem_mb}"

    def fits(self, shape: Shape) -> bool:
        """Return True if the shape provides at least the requested resources."""
        return self.gpu <= shape.gpu and self.threads <= shape.threads and self.mem_mb <= shape.mem_mb

    def select(self, has_shape: bool) -> str:
        """Return the argument of `qsub -l select=`.

        Args:
            has_shape: True if the queue determines the resources of a node. The argument is then only the number of
                nodes, because such a queue refuses requests for single resources.
        """
        if has_shape:
            return str(self.nodes)
        ngpus = [f"ngpus={self.gpu}"] if self.gpu else []
        mem = [f"mem={self.mem_mb}mb"] if self.mem_mb else []
        return ":".join([str(self.nodes), f"ncpus={self.threads}", *ngpus, *mem])


def choose_queue(shapes: Sequence[Shape], request: Request, pbs_queue: str | None) -> str | None:
    """Choose the queue of a job.

    Args:
        shapes: queues of the site, from the smallest to the largest.
        request: resources of the job.
        pbs_queue: queue that the rule sets, or None.

    Returns:
        `pbs_queue` if the rule sets one, otherwise the first queue that the request fits. None if there are no shapes;
        PBS then uses its default queue.

    Raises:
        ValueError: the request fits no shape, or the shape of `pbs_queue` has fewer GPUs than requested.
    """
    if pbs_queue:
        for shape in shapes:
            if shape.queue == pbs_queue and shape.gpu < request.gpu:
                raise ValueError(
                    f"pbs_queue {pbs_queue}: gpu is {request.gpu}; expected at most {shape.gpu} per node; "
                    "request fewer GPUs or set another pbs_queue"
                )
        return pbs_queue
    if not shapes:
        return None
    for shape in shapes:
        if request.fits(shape):
            return shape.queue
    raise ValueError(
        f"--pbs-shapes: request per node is {request}; expected a request that fits one of the queues; "
        "request less or set pbs_queue"
    )


def format_walltime(minutes: float) -> str:
    """Return a walltime of `minutes` in the form h:mm:ss, rounded up to whole minutes, and at least one minute."""
    whole = max(1, math.ceil(minutes))
    return f"{whole // 60}:{whole % 60:02d}:00"

"""What a job asks of PBS: a queue, and one chunk of resources a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakemake_interface_common.exceptions import ApiError

FORM = "QUEUE:gpu=N:threads=N:mem_mb=N"


@dataclass(frozen=True)
class Shape:
    """A queue whose jobs have a fixed share of a node each, such as ABCI's resource types."""

    queue: str
    gpu: int
    threads: int
    mem_mb: int

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Read QUEUE:gpu=N:threads=N:mem_mb=N.

        Raises:
            ApiError: it is something else.
        """
        queue, *parts = text.split(":")
        try:
            return cls(queue, **{name: int(value) for name, _, value in (part.partition("=") for part in parts)})
        except (TypeError, ValueError):
            raise ApiError(f"--pbs-shapes: {text}: not of the form {FORM}") from None

    def holds(self, request: "Request") -> bool:
        """Whether a node's share is enough."""
        return request.gpu <= self.gpu and request.threads <= self.threads and request.mem_mb <= self.mem_mb


@dataclass(frozen=True)
class Request:
    """What a job needs on each of its nodes."""

    gpu: int
    threads: int
    mem_mb: int
    nodes: int = 1

    @classmethod
    def of(cls, resources: Mapping[str, Any], threads: int) -> "Request":
        """From the resources of a Snakemake job: gpu, mem_mb, nodes."""
        return cls(
            int(resources.get("gpu") or 0),
            threads,
            int(resources.get("mem_mb") or 0),
            int(resources.get("nodes") or 1),
        )

    def __str__(self) -> str:
        return f"gpu={self.gpu} threads={self.threads} mem_mb={self.mem_mb}"

    def select(self, has_shape: bool) -> str:
        """The argument of `-l select=`: a shape's share cannot be divided, elsewhere each resource is asked for."""
        if has_shape:
            return str(self.nodes)
        ngpus = [f"ngpus={self.gpu}"] if self.gpu else []
        mem = [f"mem={self.mem_mb}mb"] if self.mem_mb else []
        return ":".join([str(self.nodes), f"ncpus={self.threads}", *ngpus, *mem])


def choose(shapes: Sequence[Shape], request: Request, wanted: str | None) -> str | None:
    """The wanted queue, or that of the first shape that holds the request: they are listed from the smallest.

    Returns:
        None where there are no shapes, and PBS chooses.

    Raises:
        ValueError: no shape holds it, or the wanted queue has fewer GPUs.
    """
    if wanted:
        too_small = [shape for shape in shapes if shape.queue == wanted and shape.gpu < request.gpu]
        if too_small:
            raise ValueError(f"pbs_queue: {wanted} has gpu={too_small[0].gpu} a node, not {request.gpu}; ask for less")
        return wanted
    if not shapes:
        return None
    for shape in shapes:
        if shape.holds(request):
            return shape.queue
    raise ValueError(f"no queue of --pbs-shapes holds {request}; ask for less, or set pbs_queue")


def walltime(minutes: float) -> str:
    """Minutes as h:mm:ss."""
    seconds = round(minutes * 60)
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"

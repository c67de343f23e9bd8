"""The path samplers: each draws the paths (subnets of the supernet) that one step of supernet training trains.

The training itself is in `nasmake.stages.train_supernet`. This package may import core, config, search_spaces and
costs, but no torch. The strategy whose distribution `asng` draws from is imported for type checking only.
"""

from collections.abc import Mapping
from typing import NamedTuple

from nasmake.config.supernet import Supernet
from nasmake.core.declared import restrict
from nasmake.costs.table import CostTable
from nasmake.path_samplers.asng import Asng
from nasmake.path_samplers.base import PathSampler
from nasmake.path_samplers.fair import Fair
from nasmake.path_samplers.sandwich import Sandwich
from nasmake.path_samplers.uniform import Uniform


class Entry(NamedTuple):
    """One path sampler.

    Attributes:
        sampler: its class.
        reads: keys of section `supernet` that the sampler reads.
    """

    sampler: type[PathSampler]
    reads: tuple[str, ...] = ()


PATH_SAMPLERS: Mapping[str, Entry] = {  # by values of supernet.sampler
    "uniform": Entry(Uniform, reads=("paths_per_step",)),
    "fair": Entry(Fair),
    "sandwich": Entry(Sandwich, reads=("paths_per_step",)),
    "asng": Entry(Asng, reads=("paths_per_step",)),
}


def make_path_sampler(costs: CostTable, settings: Supernet) -> PathSampler:
    """Return the path sampler that supernet.sampler names.

    The sampler sees only the keys of its entry. It raises UndeclaredKeyError when it reads another key of section
    `supernet`.

    Args:
        costs: costs of the networks of the search space.
        settings: section `supernet`.
    """
    name = str(settings.sampler)
    entry = PATH_SAMPLERS[name]
    return entry.sampler(costs.space, costs, restrict(settings, entry.reads, f"path sampler {name}"))


__all__ = ["PATH_SAMPLERS", "Asng", "Entry", "PathSampler", "make_path_sampler"]

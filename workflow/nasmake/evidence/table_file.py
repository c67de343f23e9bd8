"""Read a benchmark table: the costs and the scores of its networks, by network and seed of the training.

The Snakefile imports this module, so it loads numpy on demand. Plans and trainings of tables are in benchmark_table and
tabulation.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nasmake.core.errors import InputError
from nasmake.core.files import read_csv
from nasmake.search_spaces import Decisions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

COLUMNS = ("decisions", "parameters", "macs", "seed", "val_loss", "test_loss")


@dataclass(frozen=True)
class BenchmarkTable:
    """The rows of a benchmark table.

    Attributes:
        networks: decisions of the networks, in the order of the file.
        seeds: seeds of the trainings.
        rows: the row of each network and seed.
    """

    networks: list[Decisions]
    seeds: list[str]
    rows: dict[tuple[Decisions, str], dict[str, str]]

    def scores(self, column: str) -> "Values":
        """Return one column as numbers, [seeds, networks]."""
        import numpy as np

        return np.array([[float(self.rows[network, seed][column]) for network in self.networks] for seed in self.seeds])

    @cached_property
    def macs(self) -> "Values":
        """Multiply-adds for one image, [networks]."""
        macs: Values = self.scores("macs")[0]
        return macs

    @cached_property
    def parameters(self) -> "Values":
        """Learnable parameters, [networks]."""
        parameters: Values = self.scores("parameters")[0]
        return parameters


def read_table(path: Path) -> BenchmarkTable:
    """Read a benchmark_table.csv.

    Raises:
        InputError: the file is missing or damaged, a network has no row for some seed, or there is only one seed.
    """
    rows = {(decisions_of(row), row["seed"]): row for row in read_csv(path, columns=COLUMNS)}
    networks = list(dict.fromkeys(network for network, _ in rows))
    seeds = list(dict.fromkeys(seed for _, seed in rows))
    if len(seeds) < 2 or len(rows) < len(networks) * len(seeds):
        raise InputError(
            f"{path}: {len(rows)} rows, {len(networks)} networks and {len(seeds)} seeds; expected one row for each "
            "network and seed, and two or more seeds"
        )
    return BenchmarkTable(networks, seeds, rows)


def decisions_of(row: dict[str, str]) -> Decisions:
    """Return the decision vector in a row of a CSV file."""
    return tuple(map(int, row["decisions"].split()))

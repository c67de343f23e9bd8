"""The job that draws a random network whose MACs are those of the network that a search found."""

from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.records import COMPLETE
from nasmake.core.seeding import python_random
from nasmake.costs.table import CostTable, with_costs
from nasmake.data.manifest import read_manifest
from nasmake.jobs.job import Job
from nasmake.search_spaces import Architecture

DRAWS = 100_000  # seconds of look-ups


def random_network(job: Job) -> None:
    """Write architecture.json of a random network, another one than the found one.

    Every vector of decisions is equally likely, as in random search.

    Raises:
        InputError: the search found no network, or no random network has such MACs.
    """
    size, _, channels = read_manifest(job.dataset)["image_shape"]
    space, band = job.space(), job.settings.baselines.macs_band
    found = read_json(job.inputs["found"])
    if found["state"] != COMPLETE:
        raise InputError(f"{job.inputs['found']}: the search found no network: {found['reason']}")
    costs, rng = CostTable(space, channels, size), python_random(job.settings.nas.seed, job.stage)
    drawn = (space.canonical(space.sample(rng)) for _ in range(DRAWS))
    fitting = (
        decisions
        for decisions in drawn
        if abs(costs.macs(decisions) / found["macs"] - 1) <= band and list(decisions) != found["decisions"]
    )
    chosen = next(fitting, None)
    if chosen is None:
        raise InputError(
            f"baselines.macs_band is {band}; expected more, because none of {DRAWS:,} random networks has MACs that "
            f"differ by at most this share from {found['macs']:,}"
        )
    content = with_costs(Architecture.from_decisions(chosen, space), channels, size) | {"state": COMPLETE}
    print(f"drawn: {content['parameters']:,} parameters, {content['macs']:,} MACs: {content['string']}")
    write_json(job.unit / "architecture.json", content | {"provenance": job.provenance(None)})

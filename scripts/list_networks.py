"""Write the networks of one part of a benchmark table, with their costs: networks.json."""

from collections.abc import Sequence

from nasmake.core.files import read_json, write_json
from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("list_networks", __doc__, argv, inputs=(), optional=())
    from nasmake.costs.table import CostTable
    from nasmake.evidence.benchmark_table import chosen_networks

    space, count = job.space(), job.settings.tabulate.networks_per_job
    height, _, channels = read_json(job.dataset / "manifest.json")["image_shape"]
    costs, first = CostTable(space, channels, height), int(job.unit.name.removeprefix("part-")) * count
    networks = chosen_networks(space, job.settings.tabulate.networks, job.settings.nas.seed)[first : first + count]
    rows = [
        {"decisions": list(network), "architecture": space.decode(network).string()} | costs.of(network)
        for network in networks
    ]
    write_json(job.unit / "networks.json", {"networks": rows, "provenance": job.provenance(None)})


if __name__ == "__main__":
    script(main)

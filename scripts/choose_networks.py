"""Read the evaluations of searches, or none, and write the networks that the evidence compares to networks.json."""

from collections.abc import Sequence

from nasmake.core.files import read_json, write_json
from nasmake.evidence.plan import strategies
from nasmake.jobs.cli import script
from nasmake.jobs.job import parse


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("choose_networks", __doc__, argv, inputs=(), optional=strategies())
    from nasmake.costs.table import CostTable
    from nasmake.evidence.networks import selected, stratified

    evidence, space = job.settings.evidence, job.space()
    height, _, channels = read_json(job.dataset / "manifest.json")["image_shape"]
    costs = CostTable(space, channels, height)
    if job.inputs:
        largest = job.settings.search.constraint.macs or costs.macs(costs.costliest("macs"))
        networks = selected(job.inputs, (evidence.min_macs, largest), evidence.random_networks, space, costs)
    else:
        networks = stratified(space, costs, evidence.networks, job.settings.nas.seed)
    write_json(job.unit / "networks.json", {"networks": networks, "provenance": job.provenance(None)})
    print(f"{len(networks)} networks: {job.unit / 'networks.json'}")


if __name__ == "__main__":
    script(main)

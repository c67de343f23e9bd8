"""What `make tabulate` runs: the networks of a search space in parts, and a job for each part and seed.

Imported by the Snakefile: no torch or numpy here. The training itself lives in tabulation.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import Any

from nasmake.config.tabulate import MOST_NETWORKS
from nasmake.core.artefacts import JobFacts
from nasmake.core.errors import InputError
from nasmake.core.files import canonical_json, fingerprint
from nasmake.core.nested import assign
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES, Stage, settings_of
from nasmake.pipeline.study_jobs import Jobs
from nasmake.search_spaces import Decisions, SearchSpace

TABLE = "benchmark_table"
SCORES = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
MEASURED = (*SCORES, "val_losses", "val_accuracies", "cpu_seconds")  # columns of a trained network
DRAWS_PER_NETWORK = 100  # of a space whose networks are too many to list

TABLE_STAGES: Mapping[str, Stage] = {
    "list_networks": Stage(version=1, reads=("tabulate.networks", "tabulate.networks_per_job", "nas.seed")),
    "tabulate_networks": Stage(version=1, reads=STAGES["retrain"].reads),
    TABLE: Stage(version=1, reads=("tabulate", *STAGES["retrain"].reads)),  # the json file has them
}


def space_of_table(plan: Plan) -> SearchSpace:
    """Return the search space of a study whose networks are tabulated, or judged by a table.

    Raises:
        InputError: there are several spaces.
    """
    settings = plan.search_space or {}
    if "choices" in settings:
        raise InputError("nas.search_space is searched by optimize.parameters; expected one space for a table")
    return SearchSpace.from_settings(settings)


def all_networks(space: SearchSpace) -> Iterator[Decisions]:
    """Yield the canonical decisions of every different network of a space, in a fixed order."""

    def extended(decisions: Decisions, block: int, channels: int) -> Iterator[Decisions]:
        if block == len(space.blocks):
            yield decisions
            return
        for layers, own in space.vectors(block, channels).items():
            leaving = layers[-1].out_channels if layers else channels
            yield from extended(decisions + own, block + 1, leaving)

    return extended((), 0, space.blocks[0].in_channel_choices[0])


def chosen_networks(space: SearchSpace, networks: str | int, seed: int) -> list[Decisions]:
    """Return the decisions of the networks that a table has, each network once.

    Args:
        space: the search space.
        networks: tabulate.networks.
        seed: seed of the draws, if networks is a number.

    Raises:
        InputError: the space has fewer networks, or more than a table can have.
    """
    from nasmake.core.seeding import python_random  # loads numpy

    is_listed, rng = space.num_networks <= MOST_NETWORKS, python_random(seed, TABLE, "networks")
    listed = list(all_networks(space)) if is_listed else []
    if networks == "all":
        if not is_listed:
            raise InputError(
                f"tabulate.networks is all; expected a number up to {MOST_NETWORKS}, "
                f"because {space.name} has more networks"
            )
        return listed
    count = int(networks)
    if is_listed and count <= len(listed):
        return rng.sample(listed, count)
    drawn: dict[Decisions, None] = {}
    for _ in range(0 if is_listed else DRAWS_PER_NETWORK * count):
        if len(drawn) < count:
            drawn[space.canonical(space.sample(rng))] = None
    if len(drawn) < count:
        found = len(listed) if is_listed else len(drawn)
        raise InputError(
            f"tabulate.networks is {count}; expected all, or at most {found}, the networks of {space.name}"
        )
    return list(drawn)


class BenchmarkTablePlan:
    """What the rules of the table ask, beside the plan of the study.

    Attributes:
        plan: the plan of the study, whose search space and section `retrain` the table uses.
        study: the jobs of the study, which prepare its data set.
    """

    def __init__(self, plan: Plan, study: Jobs) -> None:
        self.plan, self.study = plan, study
        self._identity = cache(lambda rule, seed: fingerprint(rule, self._settings(rule, seed)))

    @cached_property
    def networks(self) -> list[Decisions]:
        """The networks of the table.

        Raises:
            InputError: the space has too few or too many networks, or there are several spaces.
        """
        tabulate, seed = self.plan.config.tabulate, self.plan.config.nas.seed
        return chosen_networks(space_of_table(self.plan), tabulate.networks, seed)

    @property
    def measurements(self) -> dict[str, list[str]]:
        """The files that the table is made from: the networks of each part, and one file per part and seed."""
        tabulate = self.plan.config.tabulate
        parts = [
            f"{self.plan.run}/part-{part:04d}" for part in range(-(-len(self.networks) // tabulate.networks_per_job))
        ]
        return {
            "lists": [f"{part}/networks.json" for part in parts],
            "trained": [f"{part}/seed-{seed}/trained.csv" for part in parts for seed in tabulate.seeds],
        }

    def of(self, rule: str, wildcards: Mapping[str, str]) -> JobFacts:
        """Return the facts about the job of a rule with these wildcards, see `nasmake.pipeline.study_jobs`."""
        run, named, facts = self.plan.run, dict(wildcards), {"manifest": self.plan.manifest()}
        identity = self._identity(rule, named.get("seed"))
        if rule == TABLE:
            return JobFacts(
                rule, run, identity, self.measurements, [f"{run}/{TABLE}.{kind}" for kind in ("csv", "json")]
            )
        folder = f"{run}/part-{named['part']}"
        networks = f"{folder}/networks.json"
        if rule == "list_networks":
            return JobFacts(rule, folder, identity, facts, [networks])
        folder = f"{folder}/seed-{named['seed']}"
        return JobFacts(rule, folder, identity, facts | {"networks": networks}, [f"{folder}/trained.csv"])

    def producer(self, path: str) -> JobFacts | None:
        """Return the job that writes a file; None for a file from outside of the run."""
        unit, _, artefact = path.removeprefix(f"{self.plan.run}/").partition("/")
        if not unit.startswith("part-"):
            return self.study.producer(path)
        part = {"part": unit.removeprefix("part-")}
        if artefact == "networks.json":
            return self.of("list_networks", part)
        return self.of("tabulate_networks", part | {"seed": artefact.split("/")[0].removeprefix("seed-")})

    def changed_images(self, job: JobFacts) -> str | None:
        """Return what changed in the image folder that a job of the study prepares."""
        return self.study.changed_images(job)

    def settings(self, rule: str) -> Callable[[Any], str]:
        """Return the params function that gives the settings of a rule with the seed of the job as nas.seed."""
        return lambda wildcards: self._settings(rule, dict(wildcards).get("seed"))

    def _settings(self, rule: str, seed: str | None) -> str:
        entry = TABLE_STAGES[rule]
        settings = settings_of(entry, self.plan.config) | {
            "search_space": self.plan.search_space,
            "version": entry.version,
        }
        if seed is not None:
            assign(settings, "nas.seed", int(seed))
        return canonical_json(settings)

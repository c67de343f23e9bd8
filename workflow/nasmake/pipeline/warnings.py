"""What is said once at the start: keys without effect, keys that overrule each other, a missing group. No torch."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nasmake.config import Config
from nasmake.config.aiaccel import path_of, without_effect
from nasmake.config.environment import NO_GROUP, Resource
from nasmake.core.nested import value_at
from nasmake.core.process import PAYS
from nasmake.pipeline.conditions import repeated_trials, with_conditions
from nasmake.pipeline.searched import needs_latency
from nasmake.study.parameter_space import never_sampled

NOTHING: Mapping[str, Any] = MappingProxyType({})


def collect_warnings(
    config: Config, raw: Mapping[str, Any] = NOTHING, set_resources: Mapping[str, Mapping[str, Any]] = NOTHING
) -> list[str]:
    """One line for each key that was given and has no effect, or is overruled by another, and for a missing group.

    Args:
        config: the study.
        raw: the configuration as it was given.
        set_resources: by the profile, of each rule.
    """
    lengths = [config.retrain.hyperparameters.num_epochs, config.retrain.num_epochs]
    overruled = [length for length in lengths if length not in (None, config.nas.num_epochs_retrain)]
    given = {
        "resource.type": config.resource.type != Resource().type and "choose a profile",
        "ABCI.job_execution_options": config.ABCI.job_execution_options and "edit profiles/abci",
        "generic": config.generic and "choose a profile",
    }
    said = [f"{key}: without effect in this version; {instead}" for key, instead in given.items() if instead]
    if config.latency.table and not needs_latency(config):
        said.append("latency.table: without effect: no limit, reward or front of the search uses latency_ms")
    if overruled:
        winner = config.nas.num_epochs_retrain
        said.append(f"retrain: num_epochs: {overruled[0]}: overruled by nas.num_epochs_retrain: {winner}")
    return [
        *without_effect(raw),
        *said,
        *warnings_of_preamble(config.ABCI.job_script_preamble),
        *_warnings_of_skipped(config),
        *_warnings_of_conditions(config),
        *_warning_of_paths(config),
        *_warning_of_group(config, set_resources),
    ]


def _warning_of_group(config: Config, set_resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line if the profile is for PBS and nobody pays: a plan can be seen all the same."""
    for_pbs = any("pbs_queue" in resources for resources in set_resources.values())
    if not for_pbs or PAYS in os.environ or config.ABCI.group != NO_GROUP:
        return []
    return [f"ABCI.group: no group pays, so PBS jobs cannot be submitted; type: export {PAYS}=your-group"]


def _warnings_of_skipped(config: Config) -> list[str]:
    """One line for a stage that was to be left out, but runs, and for a supernet that nothing uses."""
    nas, said = config.nas, []
    if nas.skip_architecture_search and nas.architecture is None:
        said.append("nas.skip_architecture_search: there is no nas.architecture to take, so the search runs")
    if nas.skip_train and nas.supernet is None and nas.architecture is None:
        said.append("nas.skip_train: there is no nas.supernet to take, so supernet training runs")
    if nas.supernet is not None and nas.architecture is not None:
        said.append("nas.supernet: without effect: nas.architecture leaves the search out")
    return said


def _warnings_of_conditions(config: Config) -> list[str]:
    """One line for the parameters that no trial samples, and one if trials must repeat others."""
    never = never_sampled(with_conditions(config).parameters)
    values, repeated = config.model_dump(mode="json"), repeated_trials(config)
    by_key: dict[str, list[str]] = {}
    for name, key in never.items():
        by_key.setdefault(key, []).append(name)
    return [
        f"optimize.parameters: {', '.join(names)}: never sampled, for {key} is "
        + ("never sampled" if key in never else str(value_at(values, path_of(key))))
        for key, names in by_key.items()
    ] + [f"optimize.trial_number: {repeated} trials repeat others: there are no more points"] * (repeated > 0)


def _warning_of_paths(config: Config) -> list[str]:
    """One line if a number of paths was given that the sampler does not take."""
    key, sampler, paths = "supernet.paths_per_step", config.supernet.sampler, config.supernet.paths_per_step
    searched = {path_of(parameter.name) for parameter in config.optimize.parameters}
    if sampler == "fair" and paths != 1 and not searched & {key, "supernet.sampler"}:
        return [f"{key}: {paths}: without effect; sampler fair takes as many paths as the largest decision has options"]
    if sampler == "sandwich" and paths == 2 and key not in searched:
        return [f"{key}: {paths}: leaves no path between largest and smallest; sampler sandwich takes 4"]
    return []


def warnings_of_preamble(preamble: str | None) -> list[str]:
    """One line if the file is not there, or has directives of Grid Engine, which ABCI has left: comments to bash."""
    if preamble is None:
        return []
    key, path = "ABCI.job_script_preamble", Path(preamble)
    if not path.is_file():
        return [f"{key}: {preamble}: no such file; jobs on a cluster begin without it"]
    directives = sum(line.startswith("#$") for line in path.read_text().splitlines())
    return [f"{key}: {preamble}: {directives} directives of Grid Engine are dropped"] * bool(directives)

"""A finished run in the real file formats, with numbers that a test can predict."""

import json
import random
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from nasmake.config import load
from nasmake.config.study import Optimize
from nasmake.core.files import write_csv, write_json
from nasmake.core.records import json_of, trial_folder
from nasmake.costs.table import count_macs, count_parameters, with_costs
from nasmake.pipeline.stages import CHAIN, CHAIN_WITHOUT_SEARCH, first_searched
from nasmake.report.results import StudyResults, read_study_results
from nasmake.report.summary import best_of, promote, trial_columns, trial_rows, write_resolved
from nasmake.search_spaces import Architecture, SearchSpace
from nasmake.stages.search_output import PROBABILITY_COLUMNS, probability_rows
from nasmake.strategies.probabilities import Probabilities, shares
from small_results import final_records, records
from small_spaces import content

SPACE = {"name": "proxyless_digits", "content": content("proxyless_digits")}
CHANNELS, SIZE = 1, 8
MACS = {"name": "search.constraint.macs", "type": "uniform_int", "lower": 400000, "upper": 1600000, "log": True}
LR = {"name": "retrain.hyperparameters.base_lr", "type": "uniform_float", "lower": 0.01, "upper": 0.2, "log": True}
SUPERNET_LR = {"name": "supernet.lr", "type": "uniform_float", "lower": 0.01, "upper": 0.2, "log": True}
SVG = "{http://www.w3.org/2000/svg}"
EVALUATIONS, EPOCHS = 12, (1, 2, 3)
REFERENCE = {"reference_val_loss": 2.0, "reference_macs": 10**7}
Row = dict[str, Any]


def optimize(trials: int, *parameters: Mapping[str, Any]) -> Optimize:
    return Optimize.model_validate({"trial_number": trials, "parameters": list(parameters)})


def small_run(
    folder: Path,
    study: Optimize,
    pruned: Collection[int] = (),
    top: int = 2,
    has_test: bool = True,
    space: Row = SPACE,
    chain: Sequence[str] = CHAIN,
) -> Path:
    """Write a run below `folder`. Trial t has val accuracy 0.5 + t/1000. Trials in `pruned` diverged in retraining."""
    names = [parameter.name for parameter in study.parameters]
    trials = [trial_folder(trial) for trial in range(study.trial_number)]
    if tuple(chain) == CHAIN_WITHOUT_SEARCH:
        network = Architecture(_space(json.dumps(space)).decode((1,) * 6))
        write_json(
            folder / "shared" / "architecture.json",
            {"name": "imported", "state": "COMPLETE"} | with_costs(network, CHANNELS, SIZE),
        )
    else:
        first = first_searched(names)
        for unit in ["shared"] if first > CHAIN.index("train_supernet") else trials:
            rows = [{"epoch": epoch, "train_accuracy": 1 - 0.9**epoch, "lr": 0.1} for epoch in range(1, 31)]
            write_csv(folder / unit / "history" / "train_supernet.csv", rows, list(rows[0]))
        for unit in ["shared"] if first > CHAIN.index("search_architecture") else trials:
            _search(folder / unit, space, random.Random(unit))
    parameters = [_suggest(study, random.Random(trial)) for trial in range(study.trial_number)]
    results = [_retrain(folder, trial, trial in pruned) for trial in range(study.trial_number)]
    for trial, params in enumerate(parameters):
        write_json(folder / trial_folder(trial) / "suggestion.json", {"trial": trial, "params": params})
    observed = records(*results)
    promoted = promote(observed, top)
    finals = final_records(*(_final(folder, results[trial], has_test) for trial in promoted))
    write_json(folder / "study" / "promoted.json", {"trials": promoted})
    write_json(folder / "study" / "best.json", json_of(best_of({folder: finals[0]})[1]))
    write_csv(folder / "study" / "trials.csv", trial_rows(observed, parameters, finals), trial_columns(study, observed))
    return folder


@cache
def _space(text: str) -> SearchSpace:
    return SearchSpace.from_mapping(json.loads(text)["content"], "small", "small.yaml")


def _search(unit: Path, space: Row, rng: random.Random) -> None:
    space_of = _space(json.dumps(space))
    networks = [Architecture.from_decisions(space_of.sample(rng), space_of) for _ in range(EVALUATIONS)]
    rows = [_evaluation(index, network, rng) for index, network in enumerate(networks)]
    best = rows[-1]
    write_csv(unit / "history" / "evaluations.csv", rows, list(best))
    compared = [row | {"val_loss": row["val_loss"] + 0.05} for row in rows]
    write_csv(unit / "history" / "random_evaluations.csv", compared, list(best))
    curve = [
        {"epoch": epoch, "best_val_accuracy": 0.8 + epoch / 50, "uncalibrated_val_accuracy": 0.1, "hypervolume": 0.5}
        | {"entropy": 1 / epoch, "max_probability": 1 - 0.5 / epoch, "Delta": 1.0 + epoch, "snr": 0.5}
        for epoch in EPOCHS
    ]
    write_csv(unit / "history" / "search_architecture.csv", curve, list(curve[0]))
    chances = [uniform(space_of) for _ in EPOCHS]
    write_csv(unit / "history" / "probabilities.csv", probability_rows(space_of, chances), PROBABILITY_COLUMNS)
    costs = {"state": "COMPLETE", "parameters": best["parameters"], "macs": best["macs"]}
    scores = {"val_accuracy": best["val_accuracy"], "val_loss": best["val_loss"], **REFERENCE}
    write_json(unit / "architecture.json", networks[-1].to_json() | costs | {"scores": scores})


def _evaluation(index: int, network: Architecture, rng: random.Random) -> Row:
    return {
        "generation": 1 + index // 4,
        "val_loss": 1 - index / 100,
        "val_accuracy": rng.gauss(0.9, 0.02),
        "macs": count_macs(network.spec, CHANNELS, SIZE),
        "parameters": count_parameters(network.spec, CHANNELS),
        "decisions": " ".join(map(str, network.decisions or ())),
    }


def uniform(space: SearchSpace) -> Probabilities:
    """Return equal probabilities of all choices of every decision."""
    return shares([], [len(decision.choices) for decision in space.decisions])


def _suggest(study: Optimize, rng: random.Random) -> Row:
    values: Row = {}
    for parameter in study.parameters:
        value = rng.uniform(parameter.lower or 0, parameter.upper or 1)
        values[parameter.name] = round(value) if parameter.type == "uniform_int" else value
    return values


def _retrain(folder: Path, trial: int, is_pruned: bool) -> Row:
    unit = folder / f"trial-{trial:04d}"
    epochs = range(1, 4 if is_pruned else 21)
    curve = [{"epoch": epoch, "val_accuracy": (0.5 + trial / 1000) * (1 - 0.8**epoch)} for epoch in epochs]
    write_csv(unit / "history" / "retrain.csv", curve, ["epoch", "val_accuracy"])
    accuracy = None if is_pruned else 0.5 + trial / 1000
    scores = {"value": accuracy, "val_accuracy": accuracy, "val_loss": None if is_pruned else 1.0}
    record = {
        "trial": trial,
        "state": "COMPLETE",
        "architecture": "ir_r1_k3_s1_e3_c16",
        "parameters": 35794,
        "macs": 714880,
    }
    record |= scores | ({"state": "PRUNED", "reason": "retrain: epoch 4: loss is nan"} if is_pruned else {})
    write_json(unit / "result.json", record)
    return record


def _final(folder: Path, result: Row, has_test: bool) -> Row:
    unit = folder / f"trial-{result['trial']:04d}"
    curve = [{"epoch": epoch, "train_accuracy": 1 - 0.7**epoch} for epoch in range(1, 21)]
    write_csv(unit / "history" / "retrain_final.csv", curve, ["epoch", "train_accuracy"])
    scores = {"test_accuracy": 0.75, "test_loss": 0.9, "test_n": 597}
    none = {"test_accuracy": None, "test_loss": None, "test_n": 0}
    record = result | (scores if has_test else none)
    write_json(unit / "final.json", record)
    return record


def diverge_search(unit: Path) -> None:
    """Give a unit the files of a trial whose supernet diverged: histories without rows, and no architecture."""
    for name in ("evaluations", "random_evaluations", "probabilities", "search_architecture", "retrain"):
        path = unit / "history" / f"{name}.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    write_json(unit / "architecture.json", {"state": "PRUNED", "reason": "train_supernet: loss is nan"})


def configured_run(folder: Path, study: Optimize, **options: Any) -> Path:
    """Write a run below `folder`, with the files from which a page about it is made."""
    run = small_run(folder / "results" / "small", study, **options)
    nas = {"architecture": "mobilenet_v2"} if options.get("chain") == CHAIN_WITHOUT_SEARCH else {}
    dataset = {"name": "digits", "num_data_architecture_search": 600}
    content = {"run": "small", "dataset": dataset, "nas": nas, "optimize": study.model_dump(mode="json")}
    write_resolved(run / "config.yaml", load(content).model_dump(mode="json"))
    classes = [str(digit) for digit in range(10)]
    write_json(run / "shared" / "dataset.json", {"image_shape": [SIZE, SIZE, CHANNELS], "classes": classes})
    return run


def arguments(folder: Path, study: Optimize, chain: Sequence[str] = CHAIN) -> Sequence[str]:
    """Return the command line of scripts/report.py."""
    write_json(folder / "manifest.json", {"image_shape": [SIZE, SIZE, CHANNELS]})
    texts = ["--study", study.model_dump_json(), "--trials", str(study.trial_number), "--stages", *chain]
    return [*texts, "--manifest", str(folder / "manifest.json"), "--run", str(folder)]


def results_of(folder: Path, study: Optimize, **options: Any) -> StudyResults:
    return read_study_results(small_run(folder, study, **options), study, options.get("chain", CHAIN))


def marks(figure: bytes, gid: str) -> int:
    """Return how many marks are drawn in the group of that id."""
    group = ElementTree.fromstring(figure).find(f".//{SVG}g[@id='{gid}']")
    return 0 if group is None else len(group.findall(f".//{SVG}use"))


def groups(figure: bytes, start: str) -> set[str]:
    ids = (group.get("id", "") for group in ElementTree.fromstring(figure).iter(f"{SVG}g"))
    return {gid for gid in ids if gid.startswith(start)}

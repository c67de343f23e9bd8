"""The outcome of a study: which trials are promoted, the best network, and the tables. No torch here.

The figures are drawn in study_figures and search_figures. `failures` and `write_resolved` serve the Snakefile.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import compress
from pathlib import Path
from statistics import mean, stdev
from types import MappingProxyType
from typing import Any, Literal, get_args

import yaml

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically
from nasmake.core.pareto import non_dominated
from nasmake.core.records import (
    COMPLETE,
    FAIL,
    BestNetwork,
    CompletedTrial,
    Estimate,
    FinalResult,
    Outcome,
    Repeats,
    TrialResult,
)
from nasmake.core.urls import without_secrets
from nasmake.pipeline.stages import STAGES
from nasmake.report.intervals import difference, with_interval

NOTHING: Mapping[int, Sequence[FinalResult]] = MappingProxyType({})
SHOWN, SHOWN_TRIALS = 2, 10  # reasons and numbers of trials in one line
RETRY = "python scripts/retry_trial.py {} --configfile <your file>"
KILLED = (
    "ended without an error; the system may have killed the job, as it does when memory is used up; run fewer jobs at "
    "once (--cores, --jobs), lower the batch size, or raise mem_mb (--set-resources RULE:mem_mb=16000)"
)
SILENT = (
    "is empty: the job did not start, as when the cluster refuses it, or it was killed before it printed anything; the "
    "lines above and the logs in .snakemake tell which"
)
STOPPED_LINE = re.compile(r"stopped by |interrupted")  # the user stopped the job
ERROR_LINE = re.compile(r"error: |[\w.]*(Error|Exception)\b")  # ours, or the last line of a Python traceback


def promote(results: Sequence[TrialResult], top: int, objectives: Sequence[str] = ("val_accuracy",)) -> list[int]:
    """Return the numbers of the `top` completed trials with the highest val accuracy; fewer if fewer completed.

    With two objectives only trials on the Pareto front are promoted. Equal accuracies are ordered by val loss, then by
    the number of the trial.

    Raises:
        InputError: no trial completed.
    """
    completed = completed_trials(results)
    if not completed:
        reasons = list(dict.fromkeys(str(result.reason) for result in results))
        text = f"no trial of {len(results)} completed, so there is nothing to promote; {'; '.join(reasons[:SHOWN])}"
        failed = [result.trial for result in results if result.state == FAIL]
        raise InputError(f"{text}; type: {RETRY.format(failed[0])}" if failed else text)
    ranked = _by_accuracy(completed) if len(objectives) == 1 else front(results, objectives)
    return [result.trial for result in ranked[:top]]


def completed_trials(results: Sequence[TrialResult]) -> list[CompletedTrial]:
    """Return the results of the trials that completed."""
    return [result for result in results if isinstance(result, CompletedTrial)]


def front(results: Sequence[TrialResult], objectives: Sequence[str]) -> list[CompletedTrial]:
    """Return the completed trials on the Pareto front of the objectives, best val accuracy first."""
    completed = completed_trials(results)
    points = [(-result.val_accuracy, *(getattr(result, cost) for cost in objectives[1:])) for result in completed]
    return _by_accuracy(list(compress(completed, non_dominated(points))))


def best_of(
    finals: Mapping[Path, FinalResult],
    results: Sequence[TrialResult] = (),
    val_n: int | None = None,
    repeats: Mapping[int, Sequence[FinalResult]] = NOTHING,
) -> tuple[Path, BestNetwork]:
    """Return the folder and the facts of the promoted network with the highest val accuracy. Test never decides.

    With several final trainings of each network, the first one is published. No val images are left that could choose
    among them, and a choice by test accuracy would make that accuracy too high.

    Args:
        finals: final.json of the promoted trials, by folder; that of the first seed.
        results: result.json of all trials, in order.
        val_n: number of val images; None if it is not known.
        repeats: final.json of all seeds of each promoted trial, by its number.

    Raises:
        InputError: no final training completed.
    """
    completed = {folder: final for folder, final in finals.items() if final.state == COMPLETE}
    if not completed:
        first = next(iter(finals.values()))
        raise InputError(
            f"no final training of {len(finals)} promoted trials completed; {first.reason}; raise promote.top, or "
            "lower retrain.hyperparameters.base_lr if training diverged"
        )
    folder = min(completed, key=lambda folder: (-completed[folder].val_accuracy, completed[folder].val_loss, folder))
    best = completed[folder]
    facts = {fact.name: getattr(best, fact.name) for fact in fields(BestNetwork) if hasattr(best, fact.name)}
    return folder, BestNetwork(
        **facts,
        val_n=val_n,
        val_interval=with_interval(best.val_accuracy, val_n),
        test_interval=with_interval(best.test_accuracy, best.test_n),
        val_over_trial_0=over_trial_0(best, results, "val_accuracy", val_n),
        test_over_trial_0=over_trial_0(best, list(finals.values()), "test_accuracy", best.test_n),
        final_seeds=spread(repeats.get(best.trial, ())),
    )


def spread(finals: Sequence[FinalResult]) -> Repeats | None:
    """Return the test accuracies of several final trainings of one network; None if fewer than two have one."""
    accuracies = [final.test_accuracy for final in finals if final.test_accuracy is not None]
    return Repeats(accuracies, mean(accuracies), stdev(accuracies)) if len(accuracies) > 1 else None


def seed_notes(repeats: Mapping[int, Sequence[FinalResult]]) -> list[str]:
    """Return one line for each promoted trial with several final trainings."""
    return [
        f"trial {trial}: test {found.mean:.4f}, standard deviation {found.standard_deviation:.4f} of "
        f"{len(found.test_accuracies)} final trainings ({len(finals)} seeds); the first seed is in the table"
        for trial, finals in repeats.items()
        if (found := spread(finals)) is not None
    ]


def over_trial_0(
    result: TrialResult | FinalResult,
    others: Sequence[TrialResult | FinalResult],
    measure: Literal["val_accuracy", "test_accuracy"],
    images: int | None,
) -> Estimate | None:
    """Return how much higher an accuracy is than that of trial 0, which has the initial hyperparameters.

    Args:
        result: a trial. Trial 0 is not compared with itself.
        others: the trials among which trial 0 is looked for.
        measure: name of the accuracy.
        images: number of images on which it was measured.
    """
    firsts = [other for other in others if other.trial == 0 != result.trial]
    return difference(getattr(result, measure), getattr(firsts[0], measure), images) if firsts else None


def trial_rows(
    results: Sequence[TrialResult],
    params: Sequence[Mapping[str, Any]],
    finals: Sequence[FinalResult],
    val_n: int | None = None,
) -> list[dict[str, Any]]:
    """Return one row of trials.csv per trial: hyperparameters, state, scores, costs, and why the trial ended early."""
    tested = {final.trial: (final.test_accuracy, final.test_n) for final in finals}
    facts = ("trial", "state", "val_accuracy", "val_loss", *costs_of(results), "architecture", "reason")
    rows = []
    for result, values in zip(results, params, strict=True):
        test = tested.get(result.trial, (None, None))
        over = over_trial_0(result, results, "val_accuracy", val_n)
        limits = _limits(with_interval(result.val_accuracy, val_n), with_interval(*test), over)
        scores = {"test_accuracy": test[0], "val_over_trial_0": over and over.value}
        rows.append({name: getattr(result, name) for name in facts} | dict(values) | scores | limits)
    return rows


def _limits(*estimates: Estimate | None) -> dict[str, float | None]:
    """Return the columns with the limits of val accuracy, test accuracy and difference to trial 0."""
    names = ("val", "test", "val_over_trial_0")
    return {
        f"{name}_{end}": getattr(estimate, end, None)
        for name, estimate in zip(names, estimates, strict=True)
        for end in ("low", "high")
    }


def trial_columns(optimize: Optimize, results: Sequence[TrialResult]) -> list[str]:
    """Return the columns of trials.csv."""
    names = [parameter.name for parameter in optimize.parameters]
    scores = ("val_accuracy", "val_loss", "test_accuracy", "val_over_trial_0", *_limits(None, None, None))
    return ["trial", "state", *names, *scores, *costs_of(results), "architecture", "reason"]


def outcome_notes(results: Sequence[TrialResult]) -> list[str]:
    """Return how many trials ended in which way, and one line for each stage and cause that ended trials early."""
    counts = Counter(result.outcome for result in results)
    ways = [f"{counts[outcome]} {outcome}" for outcome in get_args(Outcome) if counts[outcome]]
    groups: dict[tuple[str, ...], list[TrialResult]] = {}
    for result in results:
        if result.state != COMPLETE:
            cause = _cause(result).partition("; log: ")[0] if result.state == FAIL else ""
            groups.setdefault((result.outcome, str(result.stopped_in), cause), []).append(result)
    lines = []
    for (outcome, stage, _), members in groups.items():
        numbers = ", ".join(str(member.trial) for member in members[:SHOWN_TRIALS])
        more = ", ..." if len(members) > SHOWN_TRIALS else ""
        lines.append(f"{outcome} in {stage}: trial {numbers}{more}; {_cause(members[0])}")
    return [f"{len(results)} trials: {', '.join(ways)}", *lines]


def final_notes(finals: Sequence[FinalResult], best: BestNetwork) -> list[str]:
    """Return one line for each final training that did not complete, if another promoted trial takes its place."""
    return [
        f"trial {final.trial} has no final network; {final.reason}; the best of the others is trial {best.trial}"
        for final in finals
        if final.state != COMPLETE
    ]


def costs_of(results: Sequence[TrialResult | FinalResult]) -> list[str]:
    """Return the names of the costs in `results`. Latency is one of them only if the search had a limit on it."""
    is_timed = any(result.latency_ms is not None for result in results)
    return ["parameters", "macs", *(["latency_ms"] if is_timed else [])]


def interval_notes(best: BestNetwork) -> list[str]:
    """Return what the intervals leave out, and the differences between the best network and trial 0."""
    lines = ["intervals: 95 %, for the number of images only; training with another seed can change more"]
    overs = {"val": best.val_over_trial_0, "test": best.test_over_trial_0}
    texts = [f"{name} {over.value:+.4f} ({over.low:+.4f}..{over.high:+.4f})" for name, over in overs.items() if over]
    return [*lines, *([f"trial {best.trial} minus trial 0: {', '.join(texts)}"] if texts else [])]


def table(finals: Sequence[FinalResult], run: Path, notes: Sequence[str] = (), val_n: int | None = None) -> str:
    """Return the table that ends a run: promoted trials by falling val accuracy, the baseline if any, and notes."""
    ranked = sorted(finals, key=lambda final: (-final.val_accuracy, final.val_loss))
    is_timed = "latency_ms" in costs_of(finals)
    latency = f"  {'latency':>10}" if is_timed else ""
    heads = f"{'val':>6}  {'interval':>14}  {'test':>6}  {'interval':>14}"
    lines = [f"{'trial':>5}  {heads}  {'parameters':>10}  {'MACs':>11}{latency}  architecture"]
    for final in ranked:
        scores = [*_accuracy(final.val_accuracy, val_n), *_accuracy(final.test_accuracy, final.test_n)]
        cells = [f"{final.trial:>5}", *scores]
        cells += [f"{final.parameters:>10,}", f"{final.macs:>11,}"]
        cells += [f"{final.latency_ms:>7.3f} ms"] if is_timed else []
        lines.append("  ".join([*cells, final.architecture]))
    baselines = {(final.baseline.name, final.baseline.test_accuracy) for final in finals if final.baseline is not None}
    for name, accuracy in sorted(baselines):
        lines.append(f"       test accuracy of {name} on the same split: {accuracy:.4f}")
    test_n = max((final.test_n or 0 for final in finals), default=0)
    lines.append(f"       val: the trial's objective; test: {test_n} images, read once, after final training")
    lines += [f"       {note}" for note in notes]
    return "\n".join([*lines, f"       best: {run}/study/best.json   report: make report CONFIG=<your file>", ""])


def _accuracy(accuracy: float | None, images: int | None) -> list[str]:
    """Return an accuracy and its interval as two cells of the table."""
    estimate = with_interval(accuracy, images)
    limits = "-" if estimate is None else f"{estimate.low:.4f}..{estimate.high:.4f}"
    return [f"{'-' if accuracy is None else f'{accuracy:.4f}':>6}", f"{limits:>14}"]


def failures(run: Path, since: float) -> list[str]:
    """Return one line for each job that failed: the path of its log, and the log's last line or the likely cause.

    A job reports an error only through its log, so the last line is compared with the two forms of an error: our own
    `error: ...`, and the end of a Python traceback, such as `ValueError: ...`. A job that the system killed, as it does
    when memory is used up, leaves neither a line nor artefacts.

    Args:
        run: folder of the run.
        since: seconds since the epoch; older logs are skipped, since they belong to an earlier start.
    """
    logs = [log for log in sorted(run.rglob("logs/*.log")) if log.stat().st_mtime >= since]
    last_lines = {log: (log.read_text(errors="replace").splitlines() or [""])[-1] for log in logs}
    lines = []
    for log, line in last_lines.items():
        if ERROR_LINE.match(line):
            lines.append(f"{log}: {line}")
        elif not STOPPED_LINE.match(line) and _lacks_artefacts(log):
            lines.append(f"{log}: {KILLED if line else SILENT}")
    return lines


def write_resolved(path: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration with all defaults as YAML, without secrets. An equal file keeps its time stamp."""
    dataset = config.get("dataset", {})
    if url := dataset.get("url"):
        config = {**config, "dataset": {**dataset, "url": without_secrets(url)}}
    text = yaml.safe_dump(dict(config), sort_keys=True, default_flow_style=None, width=120)
    if not path.is_file() or path.read_text() != text:
        write_atomically(path, text.encode())


def _lacks_artefacts(log: Path) -> bool:
    """Return True if the log belongs to a stage, and an artefact of the stage is missing."""
    stage, unit = STAGES.get(log.stem), log.parents[1]
    return stage is not None and not all((unit / artefact).is_file() for artefact in stage.outputs.values())


def _cause(result: TrialResult) -> str:
    """Return why a trial ended early; without the numbers of the last epoch if it diverged or was pruned."""
    _, _, text = str(result.reason).partition(": ")
    return text if result.state == FAIL else text.partition(": ")[0]


def _by_accuracy(results: Sequence[CompletedTrial]) -> list[CompletedTrial]:
    return sorted(results, key=lambda result: (-result.val_accuracy, result.val_loss, result.trial))

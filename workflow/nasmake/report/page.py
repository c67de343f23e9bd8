"""The report of a run as one HTML page that loads no other file: report.html.j2, filled with what is on disk.

The page can be made in the middle of a study; it then says what is missing. No torch here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nasmake.config import Config, load
from nasmake.config.configfiles import merged
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, read_text
from nasmake.core.records import SHARED, record_of
from nasmake.pipeline.conditions import with_conditions
from nasmake.pipeline.stages import chain_of
from nasmake.report.answer import comparisons, searches_won, verdict
from nasmake.report.effort import SEARCHING, StageEffort, duration, effort_of
from nasmake.report.intervals import with_interval
from nasmake.report.results import StudyResults, percent, read_study_results
from nasmake.report.study_figures import architecture, figures_of, importance_of
from nasmake.report.style import inline_svg
from nasmake.report.summary import KILLED, SILENT, failures, outcome_notes
from nasmake.report.trials_table import trials_table

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Progress:
    """How many trials of a study have ended.

    Attributes:
        planned: trials of the study at its last start.
        ended: trials with a result, whatever it is.
        begun: further trials that have their hyperparameters.
        is_complete: all trials ended, and the best network was chosen.
    """

    planned: int
    ended: int
    begun: int
    is_complete: bool


@dataclass(frozen=True)
class DataFacts:
    """The facts about a data set in a run's copy of its manifest.

    Attributes:
        image_shape: height, width and channels of an image.
        classes: their names.
    """

    image_shape: list[int]
    classes: list[str]


def report_page(run: Path) -> str:
    """Return the page about a run.

    Args:
        run: folder of a run that was started. The trials are those of its last start.

    Raises:
        InputError: the folder is no such run, or one of its files is damaged.
    """
    config = _configuration(run)
    results = read_study_results(run, with_conditions(config), chain_of(config))
    manifest = run / SHARED / "dataset.json"
    data = record_of(DataFacts, read_json(manifest), manifest) if manifest.is_file() else None
    facts = {
        "run": run.name,
        "config": config,
        "data": data,
        "results": results,
        "best": results.best,
        "progress": (progress := _progress(results)),
        "failed_logs": _failed_logs(run, progress.is_complete),
        "configuration": read_text(run / "config.yaml"),
        **_answer(results, config),
        **_costs(effort_of(run, config, results.promoted)),
        **_figures(results, data),
    }
    environment = Environment(
        loader=PackageLoader("nasmake.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": percent, "duration": duration}
    return environment.get_template(TEMPLATE).render(facts)


def _progress(results: StudyResults) -> Progress:
    ended = {trial.trial for trial in results.trials}
    planned, begun = results.optimize.trial_number, len(results.params.keys() - ended)
    return Progress(planned, len(ended), begun, results.has_ended and len(ended) == planned)


def _answer(results: StudyResults, config: Config) -> dict[str, Any]:
    """Return what the first screen and the table of trials say.

    The number of images behind an accuracy is not known if a search has only some of the classes. It is then None.
    """
    images, is_restricted = config.dataset.num_data_architecture_search, config.dataset.num_search_classes is not None
    val_n = None if is_restricted and config.nas.skip_retrain else images
    compared = comparisons(results, val_n, None if is_restricted else images)
    has_search = config.nas.architecture is None
    return {
        "has_search": has_search,
        "val_n": val_n,
        "val_interval": results.best and with_interval(results.best.val_accuracy, val_n),
        "comparisons": compared,
        "verdict": verdict(compared, has_search),
        "searches_won": searches_won(results),
        "table": trials_table(results, val_n),
        "notes": outcome_notes(results.trials),
    }


def _configuration(run: Path) -> Config:
    """Return the configuration with which the run was last started."""
    path = run / "config.yaml"
    if not path.is_file():
        raise InputError(f"{run}: no config.yaml; expected the folder of a run that was started")
    return load(merged([path]))


def _figures(results: StudyResults, data: DataFacts | None) -> dict[str, Any]:
    """Return the figures for which the run has the data, as SVG elements by name, and why there are no importances."""
    figures, shares = dict(figures_of(results)), importance_of(results)
    if isinstance(shares, str):
        figures.pop("importances", None)
    drawn = {name: inline_svg(name, draw, results) for name, draw in figures.items()}
    if results.best_architecture is not None and data is not None:
        height, _, channels = data.image_shape
        drawn["architecture"] = inline_svg("architecture", architecture, results, channels, height)
    return {"figures": drawn, "no_importances": shares if isinstance(shares, str) else ""}


def _costs(efforts: list[StageEffort]) -> dict[str, Any]:
    """Return costs by stage, of searching and of training, and the provenance of the artefacts.

    A cost is a pair of device seconds and CPU seconds. The latter are None without benchmarks.
    """
    costs = {}
    for name, stages in (
        ("search", [effort for effort in efforts if effort.stage in SEARCHING]),
        ("training", [effort for effort in efforts if effort.stage not in SEARCHING]),
    ):
        cpu = [effort.cpu_seconds for effort in stages if effort.cpu_seconds is not None]
        costs[name] = (sum(effort.seconds for effort in stages), sum(cpu) if cpu else None)
    return {"efforts": efforts, "costs": costs, "provenance": _provenance(efforts)}


def _provenance(efforts: list[StageEffort]) -> dict[str, list[str]]:
    """Return what is known of the origin of the artefacts, each entry with all its values in order."""
    jobs = [job for effort in efforts for job in effort.jobs]
    found: dict[str, list[str]] = {
        "first job began (UTC)": [min(job.started for job in jobs)] if jobs else [],
        "last job began (UTC)": [max(job.started for job in jobs)] if jobs else [],
        "device": sorted({job.device for job in jobs if job.device}),
        "machine": sorted({job.host for job in jobs}),
        "platform": sorted({job.platform for job in jobs}),
        "revision of nasmake": sorted({job.revision for job in jobs if job.revision}),
        "Python": sorted({job.python for job in jobs}),
    }
    for package in jobs[0].versions if jobs else ():
        found[package] = sorted({str(job.versions.get(package)) for job in jobs})
    return found


def _failed_logs(run: Path, is_complete: bool) -> list[str]:
    """Return one line for each failed job.

    While a study is not complete, a log without an error may be that of a job at work. It is left out.
    """
    lines = failures(run, since=0)
    return lines if is_complete else [line for line in lines if not line.endswith((KILLED, SILENT))]

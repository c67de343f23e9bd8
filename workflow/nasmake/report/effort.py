"""What a run has cost, read from its artefacts: device hours and CPU seconds by stage, what trials shared, provenance.

No torch, optuna or matplotlib here. It imports core, config, pipeline and the study's parameter space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasmake.config import Config
from nasmake.core.files import read_csv, read_json
from nasmake.core.provenance import PROVENANCE
from nasmake.core.records import SHARED, final_units, record_of, trial_folder
from nasmake.pipeline.stages import STAGES, chain_of, first_searched, stage_of
from nasmake.study.parameter_space import sampled_parameters

SEARCHING = ("train_supernet", "import_supernet", "measure_latency", "search_architecture", "search_supernet")


@dataclass(frozen=True)
class Provenance:
    """The provenance block of one artefact.

    Attributes:
        seconds: wall time from the start of the job's last attempt to the writing of the artefact.
        started: when that attempt began, in UTC.
        device: name of the device that computed; None if nothing was computed.
    """

    seconds: float
    started: str
    host: str
    platform: str
    python: str
    versions: dict[str, Any]
    revision: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class StageEffort:
    """The jobs of one stage that have ended.

    Attributes:
        stage: its name.
        jobs: provenance of the artefact of each job.
        devices: number of devices that each job used.
        cpu_seconds: CPU time of the jobs, as Snakemake sampled it; None if no job has a measurement.
        trials: number of trials that the study has.
        changed_by: searched hyperparameters that the stage reads; empty if none does.
        is_shared: all trials use the result of one job.
    """

    stage: str
    jobs: Sequence[Provenance]
    devices: int
    cpu_seconds: float | None
    trials: int
    changed_by: Sequence[str]
    is_shared: bool

    @property
    def seconds(self) -> float:
        """Device seconds: wall time of all jobs, times the devices of a job."""
        return self.devices * sum(job.seconds for job in self.jobs)

    @property
    def sharing(self) -> str:
        """How many trials use one job of the stage, and why."""
        if self.stage == "retrain_final":
            return "once per promoted trial and seed"
        if self.is_shared:
            return f"once for all {self.trials} trials: no searched hyperparameter changes it"
        cause = ", ".join(self.changed_by)
        return f"once per trial: {cause} changes it" if cause else "once per trial: its inputs differ between trials"


def effort_of(run: Path, config: Config, promoted: Sequence[int]) -> list[StageEffort]:
    """Return what each stage of a run has cost, in the order of the stages. A stage without an ended job is left out.

    Args:
        run: folder of the run.
        config: its configuration.
        promoted: numbers of the promoted trials.

    Raises:
        InputError: an artefact is damaged.
    """
    chain = chain_of(config)
    names = [parameter.name for parameter in sampled_parameters(config.optimize.parameters)]
    first, folders = first_searched(names, chain), [trial_folder(t) for t in range(config.optimize.trial_number)]
    units = {stage: [SHARED] if index < first else folders for index, stage in enumerate(chain)}
    units = {"measure_latency": [SHARED], **units}
    units["retrain_final"] = [
        unit for trial in promoted for unit in final_units(trial_folder(trial), config.final.seeds)
    ]
    efforts = []
    for stage, members in units.items():
        artefact = next(path for path in STAGES[stage].outputs.values() if path.endswith(".json"))
        jobs = [job for unit in members for job in _provenance(run / unit / artefact)]
        cpu = [seconds for unit in members for seconds in _cpu_seconds(run / unit / "benchmarks" / f"{stage}.tsv")]
        readers = [name for name in names if stage_of(name, chain) == stage]
        devices = max(1, config.environment.gpus) if STAGES[stage].is_parallel else 1
        trials, is_shared = config.optimize.trial_number, members == [SHARED]
        efforts.append(StageEffort(stage, jobs, devices, sum(cpu) if cpu else None, trials, readers, is_shared))
    return [effort for effort in efforts if effort.jobs]


def _provenance(path: Path) -> Iterator[Provenance]:
    """Yield the provenance of an artefact, if the file is there and has one."""
    block = read_json(path).get(PROVENANCE) if path.is_file() else None
    if isinstance(block, dict):
        yield record_of(Provenance, block, path)


def _cpu_seconds(path: Path) -> Iterator[float]:
    """Yield the CPU time in a benchmark file of Snakemake, which writes `NA` if the job was too short to be sampled."""
    for row in read_csv(path, delimiter="\t") if path.is_file() else []:
        try:
            yield float(row["cpu_time"])
        except (KeyError, ValueError):
            continue


def duration(seconds: float) -> str:
    """Return a duration as text in hours, minutes or seconds, such as `1.4 min`."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"

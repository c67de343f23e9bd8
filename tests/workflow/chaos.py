"""The chaos harness: disturb a small study at random moments of every stage, and compare it with an undisturbed one.

`make chaos N=50 SEED=1` runs it. After each disturbance that ends the controller, the same command is started again. If
the study ends before all disturbances have happened, another copy of it is disturbed. The kinds of the disturbances and
their moments, relative to the usual duration of a job, are functions of the seed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "packages/snakemake-executor-plugin-pbs/tests"))  # stand-in for PBS
from conftest import ENVIRONMENT, Checkout, make_checkout
from disturbances import STAGES, Disturbance, draw, running_jobs
from epoch_ledger import EpochLedger
from pbs_site import Site
from slurm_daemons import OPTIONS as SLURM_OPTIONS
from slurm_daemons import Slurm, missing
from studies import artefacts, write_config

STUDY = {
    "nas": {"num_epochs_supernet_train": 8, "num_epochs_architecture_search": 3, "num_epochs_retrain": 6},
    "optimize": {"trial_number": 2, "lag": 1},
    "promote": {"top": 1},
    "final": {"baseline": False},
    "trainer": {"accelerator": "cpu"},
    "ABCI": {"group": "paying"},
}
STUDY_FILE = ("--configfile", "study.yaml")
OPTIONS = {
    "local": ("--cores", 2),
    "pbs": ("--profile", "profiles/abci", "--jobs", 2, "--seconds-between-status-checks", 1, "--latency-wait", 5),
    "slurm": SLURM_OPTIONS,
}
LONGEST = 900.0  # seconds of one start
POLL = 0.03  # seconds
PATIENCE = 3  # starts that may fail without a disturbance before the harness gives up


class Due(NamedTuple):
    """A disturbance, the job in whose time it happens, and the moment on the monotonic clock."""

    disturbance: Disturbance
    pid: int
    stage: str
    moment: float


class Study:
    """A copy of the study, and the controller that runs in it.

    Attributes:
        folder: the checkout.
        executor: `local`, `pbs` for the stand-in of a PBS site, or `slurm` for a real one on this host.
        ledger: epochs of all starts.
        stages: stage of each job of all starts, by process id.
        began: when each job was first seen.
        disturbed: process ids of the jobs in whose time something has happened.
    """

    def __init__(self, folder, executor):
        self.folder, self.executor, self.stages, self.began, self.disturbed = folder, executor, {}, {}, set()
        self.ledger = EpochLedger(folder / "results/tiny")
        self.site = Site(folder.with_name(f"{folder.name}-site"))

    def start(self, printed):
        """Start the controller. A thread copies its output, because a limit on its files must not concern that file."""
        self.process = subprocess.Popen(
            Checkout(self.folder).command(*STUDY_FILE, *OPTIONS[self.executor]),
            cwd=self.folder,
            env=ENVIRONMENT | {"PATH": self.site.environment["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.copier = threading.Thread(target=_copy, args=(self.process.stdout, printed.open("wb")), daemon=True)
        self.copier.start()

    def look(self):
        """Read the logs, and return the process ids of the running jobs."""
        self.ledger.collect()
        jobs = running_jobs(self.folder)
        for pid, stage in jobs.items():
            self.stages.setdefault(pid, stage)
            self.began.setdefault(pid, time.monotonic())
        return jobs.keys()

    def files(self):
        """Return the artefacts, and the names of all other files of the results that have to be the same."""
        results = self.folder / "results/tiny"
        names = [str(path.relative_to(results)) for path in sorted(results.rglob("*")) if path.is_file()]
        return dict.fromkeys(name for name in names if "benchmarks/" not in name) | artefacts(results)


class Chaos:
    """Disturbed studies, and what came of them.

    Attributes:
        folder: place of the studies and of the output of all starts.
        seed: of all draws.
        executor: see Study.
        number: how many disturbances are to happen.
        counts: how many have happened, by stage and kind.
        faults: one text for each thing that must not be.
        starts: number of starts.
        epochs: computed epochs of the undisturbed study, and of each disturbed one.
    """

    def __init__(self, folder, seed, number, executor="local"):
        self.folder, self.seed, self.number, self.executor = folder, seed, number, executor
        self.counts, self.faults, self.starts, self.epochs = Counter(), [], 0, []
        self.usual = dict.fromkeys(STAGES, 1.0)

    def run(self):
        """Run the undisturbed study, and disturbed ones until all disturbances have happened or something is wrong."""
        source = make_checkout(self.folder / "source").folder
        write_config(source, STUDY)
        expected = self.undisturbed(self.copy_of(source, "undisturbed"))
        while (left := self.number - self.counts.total()) > 0 and not self.faults:
            study = self.copy_of(source, f"disturbed-{len(self.epochs)}")
            self.disturb(study, quota=-(-left // len(STAGES)))
            found = study.files()
            names = sorted(expected.keys() | found.keys())
            different = [
                name for name in names if (name in expected, expected.get(name)) != (name in found, found.get(name))
            ]
            self.faults += [f"{study.folder.name}: different: {name}" for name in different]
        return self

    def copy_of(self, source, name):
        """Return a copy of the study."""
        return Study(shutil.copytree(source, self.folder / name), self.executor)

    def undisturbed(self, study):
        """Run the study, note how long the jobs of each stage take, and return its files."""
        study.start(self.folder / "start-00.txt")
        while study.process.poll() is None:
            for pid in study.look():
                self.usual[study.stages[pid]] = time.monotonic() - study.began[pid]
            time.sleep(POLL)
        study.ledger.collect()
        assert study.process.returncode == 0, (self.folder / "start-00.txt").read_text()[-6000:]
        self.epochs.append(study.ledger.epochs())
        return study.files()

    def disturb(self, study, quota):
        """Start the study until it ends well. At most `quota` disturbances happen while jobs of one stage run."""
        in_stage, failures, code = Counter(), 0, None
        while code != 0 and failures < PATIENCE:
            self.starts += 1
            before = in_stage.total()
            printed = self.folder / f"start-{self.starts:02}.txt"
            study.start(printed)
            code = self.watch(study, in_stage, quota)
            if "unlock" in printed.read_text().lower():
                self.faults.append(f"{printed}: asks for a manual unlock")
            if code != 0 and in_stage.total() == before:
                failures += 1
                self.faults.append(f"{printed}: failed with {code} without a disturbance")
        study.ledger.collect()
        study.site.end_all()
        self.epochs.append(study.ledger.epochs())
        self.faults += [
            f"{study.folder.name}: lost epochs: {name}: {found}" for name, found in study.ledger.lost().items()
        ]

    def watch(self, study, in_stage, quota):
        """Disturb one start until it ends, and return its exit code."""
        deadline, may_begin, due = time.monotonic() + LONGEST, True, None
        while study.process.poll() is None:
            jobs = study.look()
            if due is None and may_begin:
                due = self.next_due(
                    study, [pid for pid in jobs - study.disturbed if in_stage[study.stages[pid]] < quota]
                )
            if due is not None and time.monotonic() >= due.moment:
                if due.disturbance.target != "job" or due.pid in jobs:
                    in_stage[due.stage] += 1
                    may_begin = not due.disturbance.ends_start
                    self.happen(study, due)
                due = None
            if time.monotonic() > deadline:
                self.faults.append(f"start {self.starts} did not end within {LONGEST:.0f} s")
                os.killpg(study.process.pid, signal.SIGKILL)
            time.sleep(POLL)
        study.copier.join(timeout=2)  # a shell of an orphaned job may hold the stream for longer
        return study.process.returncode

    def next_due(self, study, jobs):
        """Return the next disturbance, in the time of the youngest of these jobs; None if there is none."""
        if not jobs or self.counts.total() >= self.number:
            return None
        pid = max(jobs, key=study.began.__getitem__)
        disturbance, stage = draw(self.seed, self.counts.total()), study.stages[pid]
        return Due(disturbance, pid, stage, study.began[pid] + disturbance.moment * self.usual[stage])

    def happen(self, study, due):
        """Disturb, and note it."""
        kind = f"{due.disturbance.action} of {due.disturbance.target}"
        self.counts[due.stage, kind] += 1
        study.disturbed.add(due.pid)
        age = time.monotonic() - study.began[due.pid]
        print(
            f"{self.counts.total():>4}  start {self.starts:>3}  {due.stage:<20}after {age:5.1f} s  {kind}", flush=True
        )
        due.disturbance.happen(study.process.pid, due.pid)

    def report(self):
        """Return the lines of the report."""
        undisturbed, *disturbed = self.epochs
        stages, kinds = Counter(), Counter()
        for (stage, kind), count in self.counts.items():
            stages[stage] += count
            kinds[kind] += count
        return [
            f"disturbances: {self.counts.total()} in {len(disturbed)} studies with {self.starts} starts",
            *(f"  {stages[stage]:>3}  in {stage}" for stage in STAGES),
            *(f"  {count:>3}  {kind}" for kind, count in sorted(kinds.items())),
            f"epochs: {undisturbed} in the undisturbed study; in the disturbed ones {' '.join(map(str, disturbed))}",
            f"faults: {len(self.faults)}",
            *(f"  {fault}" for fault in self.faults),
        ]


def _copy(stream, copy):
    while chunk := stream.read1():
        copy.write(chunk)
        copy.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=50, help="number of disturbances")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executor", choices=OPTIONS, default="local", help="pbs: a stand-in; slurm: a real one")
    arguments = parser.parse_args()
    if arguments.executor == "slurm" and missing():
        parser.error(missing())
    # Under nohup, or in the background of a script, these signals would be ignored, also by the disturbed study.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    with Slurm(folder) if arguments.executor == "slurm" else nullcontext():
        chaos = Chaos(folder, arguments.seed, arguments.number, arguments.executor).run()
    print(*chaos.report(), sep="\n")
    if chaos.faults:
        sys.exit(f"error: {folder}: faults are {len(chaos.faults)}; expected 0; the studies and outputs are kept there")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""A temporary PBS site: the server of `pbs_server`, and a work directory in which Snakemake runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("pbs_server.py")
SOURCES = Path(__file__).parents[1] / "src"
PROGRAMS = ("qsub", "qstat", "qdel")
SHAPES = ("rt_HC:gpu=0:threads=32:mem_mb=320000", "rt_HG:gpu=1:threads=16:mem_mb=160000")
OPTIONS = (
    *("--executor", "pbs", "--jobs", 1000, "--keep-going", "--seconds-between-status-checks", 1, "--latency-wait", 5),
    *("--default-resources", "mem_mb=1000", "--rerun-incomplete", "--pbs-shapes", *SHAPES),
)


class Site:
    """A temporary PBS site.

    Attributes:
        folder: work directory of Snakemake.
        programs: folder of qsub, qstat and qdel.
        state: folder of the server's state; see `pbs_server`.
        environment: environment variables of Snakemake.
        printed: file with the output of Snakemake.
        umask: umask of Snakemake, or -1 for that of the tests.
        snakemake: the program.
    """

    def __init__(self, folder, work="work"):
        self.folder, self.programs, self.state = folder / work, folder / "bin", folder / "bin" / "state"
        self.folder.mkdir(parents=True)
        (self.state / "ends").mkdir(parents=True)
        for program in PROGRAMS:
            (self.programs / program).symlink_to(SERVER)
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = os.environ | {"PATH": path, "PYTHONPATH": str(SOURCES)}
        self.printed = folder / "printed.txt"
        self.umask = -1
        self.snakemake = Path(sys.executable).parent / "snakemake"

    def workflow(self, text):
        """Write the Snakefile."""
        (self.folder / "Snakefile").write_text(text)

    def set(self, name, value):
        """Change the behaviour of the server; see `pbs_server` for the names."""
        (self.state / name).write_text(str(value))

    def start(self, *arguments, project="grp", options=OPTIONS):
        """Start Snakemake in a new session, and return the process."""
        project_options = ("--pbs-project", project) if project else ()
        command = [self.snakemake, *options, *project_options, *arguments]
        with self.printed.open("w") as printed:
            return subprocess.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=self.umask,
            )

    def run(self, *arguments, project="grp", options=OPTIONS):
        """Run Snakemake until it ends, and return its exit status and its output."""
        status = self.start(*arguments, project=project, options=options).wait(timeout=300)
        return status, self.printed.read_text()

    def calls(self, program):
        """Return the arguments of each call of qsub, qstat or qdel."""
        path = self.state / "calls"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [arguments for name, *arguments in calls if name == program]

    def jobs(self):
        """Return the attributes of each job, by job id."""
        paths = sorted(self.state.glob("*.json"), key=lambda path: int(path.name.partition(".")[0]))
        return {path.stem: json.loads(path.read_text()) for path in paths}

    def states(self):
        """Return state/substate/exit status of each job, such as F/92/0, by job id."""
        names = ("job_state", "substate", "Exit_status")
        return {job_id: "/".join(job[name] for name in names if name in job) for job_id, job in self.jobs().items()}

    def wait_for(self, condition, seconds=180):
        """Wait until a function returns a true value, and return this value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"timeout; {self.states()}; {self.printed.read_text()[-4000:]}"
            time.sleep(0.05)
        return value

    def all_running(self, number):
        """Return True if `number` jobs have created their file `begun.<i>`."""
        return len(list(self.folder.glob("begun.*"))) == number

    def crash(self, process):
        """Kill Snakemake with SIGKILL, and remove its lock as `snakemake --unlock` does."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        for lock in (self.folder / ".snakemake/locks").glob("*.lock"):
            lock.unlink()

    def end_all(self):
        """Delete the jobs that a test left in the queue or running."""
        if job_ids := [job_id for job_id, job in self.jobs().items() if job["job_state"] not in "FXM"]:
            subprocess.run([self.programs / "qdel", *job_ids], env=self.environment, timeout=60)


@pytest.fixture
def site(tmp_path):
    """A work directory on a host with the stand-in for PBS."""
    made = Site(tmp_path / "pbs")
    yield made
    made.end_all()

"""A work directory on a host with the stand-in for PBS, and a small workflow in it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVER = Path(__file__).with_name("pbs_server.py")
PROGRAMS = ("qsub", "qstat", "qdel")
SHAPES = ("rt_HC:gpu=0:threads=32:mem_mb=320000", "rt_HG:gpu=1:threads=16:mem_mb=160000")
OPTIONS = (
    *("--executor", "pbs", "--jobs", 1000, "--keep-going", "--seconds-between-status-checks", 1, "--latency-wait", 5),
    *("--default-resources", "mem_mb=1000", "--rerun-incomplete", "--pbs-shapes", *SHAPES),
)


class Site:
    """Work directory, programs and server."""

    def __init__(self, folder):
        self.folder, self.programs, self.state = folder / "work", folder / "bin", folder / "bin" / "state"
        self.folder.mkdir(parents=True)
        (self.state / "ends").mkdir(parents=True)
        for program in PROGRAMS:
            (self.programs / program).symlink_to(SERVER)
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {name: value for name, value in os.environ.items() if name != "ABCI_GROUP"} | {"PATH": path}
        self.printed = folder / "printed.txt"

    def workflow(self, text):
        (self.folder / "Snakefile").write_text(text)

    def set(self, name, value):
        (self.state / name).write_text(str(value))

    def start(self, *arguments, project="grp", options=OPTIONS):
        """Start Snakemake in a session of its own; what it prints goes to a file."""
        paying = ("--pbs-project", project) if project else ()
        command = [Path(sys.executable).parent / "snakemake", *options, *paying, *arguments]
        with self.printed.open("w") as printed:
            return subprocess.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments, project="grp", options=OPTIONS):
        """Run Snakemake to its end; returns its exit status and what it printed."""
        status = self.start(*arguments, project=project, options=options).wait(timeout=120)
        return status, self.printed.read_text()

    def calls(self, program):
        """Arguments of each call of a program of PBS."""
        notes = self.state / "calls"
        calls = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
        return [arguments for name, *arguments in calls if name == program]

    def jobs(self):
        """Attributes of each job, by id."""
        paths = sorted(self.state.glob("*.json"), key=lambda path: int(path.name.partition(".")[0]))
        return {path.stem: json.loads(path.read_text()) for path in paths}

    def states(self):
        """State, substate and exit status of each job, by id."""
        names = ("job_state", "substate", "Exit_status")
        return {job: "/".join(found[name] for name in names if name in found) for job, found in self.jobs().items()}

    def wait_for(self, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, f"waited in vain; {self.states()}; {self.printed.read_text()[-4000:]}"
            time.sleep(0.05)
        return found

    def all_running(self, number):
        """Whether so many jobs have begun their work: each makes a file `begun.<i>`."""
        return len(list(self.folder.glob("begun.*"))) == number

    def crash(self, process):
        """Kill Snakemake as a power cut does, and take its lock away, which the user has to do."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        for lock in (self.folder / ".snakemake/locks").glob("*.lock"):
            lock.unlink()

    def end_all(self):
        """Delete what a test has left."""
        if open_jobs := [job for job, found in self.jobs().items() if found["job_state"] not in "FXM"]:
            subprocess.run([self.programs / "qdel", *open_jobs], env=self.environment, timeout=60)

"""A checkout of its own for tests that run the workflow: what git would clone of the working tree, and nothing else."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_CHECKOUT = f"workflow{os.pathsep}packages/snakemake-executor-plugin-pbs/src"  # packages, from its folder
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": os.pathsep.join(filter(None, [OF_CHECKOUT, os.environ.get("PYTHONPATH")])),
}
STARTED = []  # leaders of the process groups that Checkout.start has made


class Checkout:
    """A folder with the project in it, where Snakemake can be started."""

    def __init__(self, folder):
        self.folder = folder

    def command(self, *arguments):
        return [str(Path(sys.executable).parent / "snakemake"), *map(str, arguments)]

    def run(self, *arguments, check=True, timeout=600):
        """Run snakemake to its end; returns what it printed, both streams together."""
        finished = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if check and finished.returncode:
            raise AssertionError(f"exit {finished.returncode}:\n{finished.stdout[-6000:]}")
        return finished.stdout if check else (finished.returncode, finished.stdout)

    def start(self, *arguments, output=subprocess.DEVNULL):
        """Start snakemake in a session of its own, so that it can be killed with all its jobs."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        STARTED.append(process.pid)
        return process


@pytest.fixture(autouse=True)
def end_what_was_started():
    """A test that fails leaves no study running."""
    yield
    for group in STARTED:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    STARTED.clear()


@pytest.fixture
def checkout(tmp_path):
    return make_checkout(tmp_path / "nasmake")


def link_environment(checkout):
    """Make .venv of links to the environment of these tests, so that make takes it for the checkout's own."""
    environment = checkout.folder / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        (environment / part.name).symlink_to(part)
    (environment / "made-for").unlink(missing_ok=True)
    locks = [(checkout.folder / name).read_text() for name in ("requirements.lock", "requirements-torch.lock")]
    (environment / "made-for").write_text(f"{checkout.folder.resolve()}\n" + "".join(locks))


def make_checkout(folder):
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)

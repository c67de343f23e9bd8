import os
import signal

import pytest
from pbs_site import Site

# A shell starts background commands with SIGINT ignored, nohup with SIGHUP ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ["OMP_NUM_THREADS"] = "1"  # the tests run side by side; stages set the number of their threads themselves


def pytest_addoption(parser):
    parser.addoption("--fix", action="store_true", help="rewrite generated files that have drifted from their source")


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Folder of the prepared digits."""
    from nasmake.data.preparing.prepare import prepare

    folder = tmp_path_factory.mktemp("datasets") / "digits"
    prepare({"name": "digits", "path": str(folder.parent)}, folder)
    return folder


@pytest.fixture(autouse=True)
def keep_signal_handlers():
    """Stages take these signals for themselves."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def save_every_epoch(monkeypatch):
    """A killed job may then repeat the epoch that was under way, and no earlier one."""
    monkeypatch.setenv("NASMAKE_SECONDS_BETWEEN_SAVES", "0")


@pytest.fixture
def site(tmp_path):
    """A host with the stand-in for PBS. Its Snakemake finds the packages of the checkout in which it starts."""
    made = Site(tmp_path / "pbs")
    made.environment["PYTHONPATH"] = f"workflow{os.pathsep}packages/snakemake-executor-plugin-pbs/src"
    made.environment.pop("ABCI_GROUP", None)
    yield made
    made.end_all()

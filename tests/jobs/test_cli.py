"""Signals to a script: one line at most and the exit code of the signal, also while it still imports."""

import signal
import subprocess
import sys

import pytest

IMPORTING = "from nasmake.jobs.cli import script\nprint(flush=True)\nimport time\ntime.sleep(60)\n"
WORKING = """
import time
from nasmake.jobs.cli import script

def main(argv):
    print(flush=True)
    time.sleep(60)

script(main)
"""


def ended_by(tmp_path, code, number, ignored=None):
    path = tmp_path / "scripts" / "made_up.py"
    path.parent.mkdir()
    path.write_text(code)
    if ignored is not None:
        ignore = f"import signal, os, sys; signal.signal({ignored:d}, signal.SIG_IGN); "
        command = [sys.executable, "-c", f"{ignore}os.execv(sys.executable, [sys.executable, {str(path)!r}])"]
    else:
        command = [sys.executable, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(number)
        if number == ignored:
            process.send_signal(signal.SIGTERM)
        return process.wait(60), process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_imports_prints_no_stack(tmp_path, number):
    assert ended_by(tmp_path, IMPORTING, number) == (-number, "")


@pytest.mark.parametrize(
    ("number", "code", "printed"),
    [
        (signal.SIGINT, 130, "interrupted; the last saved training state stays\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGHUP, 129, ""),
    ],
)
def test_a_signal_during_work(tmp_path, number, code, printed):
    assert ended_by(tmp_path, WORKING, number) == (code, printed)


def test_under_nohup_the_end_of_the_terminal_is_ignored(tmp_path):
    code, _ = ended_by(tmp_path, WORKING, signal.SIGHUP, ignored=signal.SIGHUP)
    assert code == 143  # the SIGTERM that came after it

"""Run the main function of a script, and turn its end into an exit code and one line of text.

Everything that a script needs before it knows its task is imported here, so this module loads the standard library and
core only.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nasmake.core.artefacts import JobFacts, paths_of, verify
from nasmake.core.clock import wait_for_clock
from nasmake.core.errors import InputError
from nasmake.core.process import is_rank, rank

STARTED = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
if STARTED.parent.name == "scripts" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the other imports of a script prints no stack


class AlreadyDoneError(Exception):
    """Another process finished the stage while this one waited for the lock of the stage."""


def script(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run the main function of a script.

    Args:
        main: the function, which takes the arguments.
        argv: the arguments; None for those of this process.

    Raises:
        SystemExit: with code 1 and one line for an error that the user can correct, with 130 after Ctrl-C, with 143
            after SIGTERM, and with 129 after SIGHUP.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # until a stage handles the signals itself
        if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGHUP is under nohup
            signal.signal(number, _exit_by_signal)
    arguments = list(sys.argv[1:] if argv is None else argv)
    job = _take_job(arguments)
    try:
        if job is not None and not is_rank():
            inputs = [Path(path) for value in job.inputs.values() for path in paths_of(value)]
            wait_for_clock(inputs)
            verify(inputs)
        try:
            main(arguments)
        except AlreadyDoneError as done:
            print(done, flush=True)
        if job is not None and rank() == 0:
            job.record()
    except (InputError, OSError) as error:  # an OSError is, for example, a full disk or a folder without permission
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; the last saved training state stays", file=sys.stderr)
        raise SystemExit(130) from None


def _take_job(arguments: list[str]) -> JobFacts | None:
    """Remove the option --job from the arguments, and return its value: what the plan says about this job."""
    if "--job" not in arguments:
        return None
    at = arguments.index("--job")
    facts = JobFacts.from_json(json.loads(arguments[at + 1]))
    del arguments[at : at + 2]
    return facts


def _exit_by_signal(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def positive(text: str) -> int:
    """Return the text as a whole number.

    Raises:
        argparse.ArgumentTypeError: it is none, or less than 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"value is {text}; expected a whole number >= 1")
    return int(text)

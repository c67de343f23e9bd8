"""Run the main function of a script, and turn its end into an exit code and one line of text.

Everything that a script needs before it knows its task is imported here, so this module loads the standard library and
core.errors only.
"""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nasmake.core.errors import InputError


class AlreadyDoneError(Exception):
    """Another process finished the stage while this one waited for the lock of the stage."""


def script(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run the main function of a script.

    Args:
        main: the function, which takes the arguments.
        argv: the arguments; None for those of this process.

    Raises:
        SystemExit: with code 1 and one line for an error that the user can correct, with 130 after Ctrl-C, and with 143
            after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _exit_by_signal)  # until a stage handles the signal itself
    try:
        main(argv)
    except AlreadyDoneError:
        print("done by the process that was waited for", flush=True)
    except (InputError, OSError) as error:  # an OSError is, for example, a full disk or a folder without permission
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; the last saved training state stays", file=sys.stderr)
        raise SystemExit(130) from None


def _exit_by_signal(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)

"""How a script ends. It loads nothing, so that what a user waits for starts at once."""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nasmake.core.errors import InputError


class AlreadyDoneError(Exception):
    """While this process waited for the stage's lock, its holder finished the stage."""


def script(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run a script's main; what a user can mend ends in one line and exit code 1."""
    signal.signal(signal.SIGTERM, _terminated)  # until training takes the signal over
    try:
        main(argv)
    except AlreadyDoneError:
        print("done by the process that was waited for", flush=True)
    except (InputError, OSError) as error:  # such as a folder that cannot be written, a full disk
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # Ctrl-C
        print("interrupted; the last saved training state stays", file=sys.stderr)
        raise SystemExit(130) from None


def _terminated(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)

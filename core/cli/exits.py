"""How a command ends: every error that is meant for the user becomes a line and an exit code."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from core.errors import HeadscriptError


def exit_code(run: Callable[[], int]) -> int:
    """The exit code of what is run, or of the error that ended it, told on stderr."""
    try:
        code = run()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _is_unread():
            raise
        return 141  # as of a program that the closed pipe ended
    except HeadscriptError as error:
        print(f"headscript: {error}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print(
            "headscript: the memory of this machine ran out; close what else uses it and run the command "
            "again",
            file=sys.stderr,
        )
        return 4
    except KeyboardInterrupt:
        print("\nheadscript: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _is_unread() -> bool:
    """Whether nobody reads the answer any more, as after `| head`; what is left of it is then given up."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True

"""How a command ends: every error that is meant for the user becomes a line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from core.errors import HeadscriptError


def exit_code(run: Callable[[], int]) -> int:
    """The exit code of what is run, or of the error that ended it, told on stderr."""
    try:
        return run()
    except HeadscriptError as error:
        print(f"headscript: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nheadscript: interrupted; run the same command again to go on", file=sys.stderr)
        return 130

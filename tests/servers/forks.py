"""`python -m core ...` and `streamlit run ...` in children of a process that has imported what they need.

All test processes share it. It imports nothing until somebody asks, so a run without processes pays nothing.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
from pathlib import Path

EXIT_CODE = (
    "HEADSCRIPT_TEST_EXIT_CODE"  # the environment variable that names the file which takes a command's
)

OF_APPS = (
    "altair",
    "core.jobs",
    "core.review",
    "core.sharing",
    "core.sharing.figures.maps",
    "streamlit.web.bootstrap",
    "streamlit.web.cli",
)


def _children(listening: int) -> list[str]:
    """Returns in each child, with the program and its arguments."""
    asked, _, _ = select.select([listening, sys.stdin], [], [])
    if listening not in asked:
        raise SystemExit
    from core.jobs.runners.fork_server import OF_WORKERS, serve
    from core.maps import prepare_distances
    from tests.scanned import scan_once

    scan_once()
    prepare_distances()
    return serve(listening, (*OF_WORKERS, *OF_APPS, "core.cli.app", "spacy"))


def _run(program: str, *arguments: str) -> int:
    if "PYTHONPATH" in os.environ:  # which an interpreter that starts would have read
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
        importlib.invalidate_caches()
    if program == "streamlit":
        from streamlit.web.cli import main

        sys.argv = [program, *arguments]
        return int(main() or 0)
    from core.__main__ import run

    code = run([program, *arguments])
    if EXIT_CODE in os.environ:
        Path(os.environ[EXIT_CODE]).write_text(str(code))
    return code


if __name__ == "__main__":
    sys.exit(_run(*_children(int(sys.argv[1]))))

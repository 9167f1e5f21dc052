"""What tests start, `python -m core ...` and `streamlit run ...`, and the test processes of xdist themselves.

They are children of one process that has imported what they need, once for all of them. It imports nothing
until somebody asks, so a run in one test process, of tests that start nothing, pays nothing.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import warnings
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
OF_TESTS = ("hypothesis", "playwright.sync_api", "streamlit.testing.v1")


def _children(listening: int) -> list[str]:
    """Returns in each child, with the program and its arguments."""
    asked, _, _ = select.select([listening, sys.stdin], [], [])
    if listening not in asked:
        raise SystemExit
    warnings.simplefilter("error")  # as pyproject.toml has it for what tests import themselves
    strict = warnings.filters[0]
    import torch

    from core.jobs.runners.fork_server import OF_WORKERS, serve
    from core.maps import l1_distances
    from tests.scanned import scan_once

    scan_once()
    l1_distances(torch.ones(1, 1), torch.ones(1, 1))  # compiled, or read from where it lies compiled
    try:
        return serve(listening, (*OF_WORKERS, *OF_APPS, *OF_TESTS, "core.cli.app", "spacy"))
    finally:
        warnings.filters.remove(strict)  # and no other: libraries have set theirs meanwhile


def _run(program: str, *arguments: str) -> int:
    if "PYTHONPATH" in os.environ:  # which an interpreter that starts would have read
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
        importlib.invalidate_caches()
    if program == "-u":
        return _test(*arguments)
    if program == "streamlit":
        from streamlit.web.cli import main

        sys.argv = [program, *arguments]
        return int(main() or 0)
    from core.__main__ import run

    code = run([program, *arguments])
    if EXIT_CODE in os.environ:
        Path(os.environ[EXIT_CODE]).write_text(str(code))
    return code


def _test(_: str, code: str) -> int:
    """Become a test process: run the line that xdist asks of a new interpreter, which fetches the rest.

    pytest would warn of plugins (Hypothesis, AnyIO) whose asserts it comes too late to rewrite.
    """
    for name, module in list(sys.modules.items()):
        if "." not in name:
            module.__doc__ = f"{module.__doc__}\nPYTEST_DONT_REWRITE"
    exec(code, {"__name__": "__main__"})
    return 0


if __name__ == "__main__":
    sys.exit(_run(*_children(int(sys.argv[1]))))

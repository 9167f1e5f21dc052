"""Python's own reading of source text, by one thread at a time."""

from __future__ import annotations

import ast
from threading import RLock

_READING = RLock()


def syntax_tree(source: str) -> ast.Module:
    """The syntax tree of source text, none of which is run.

    Python counts how deep a tree is in one place for all threads of a process. While two of them read, it may
    refuse what is right, or raise SystemError (python/cpython#106905, mended in the last 3.11 and 3.12).

    Raises SyntaxError, ValueError, RecursionError or MemoryError for what Python cannot read.
    """
    with _READING:
        try:
            return ast.parse(source)
        except SystemError:  # a library was reading in another thread
            return ast.parse(source)

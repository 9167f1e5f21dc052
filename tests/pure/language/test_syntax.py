"""Threads that read source text at the same time do not disturb one another."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable
from threading import Event, Thread

import pytest

from core.language.reading.syntax import syntax_tree

SOURCE = "def attend(q, k):\n    return " + " + ".join(["(q.position - k.position)"] * 400)


class Garbage:
    """When it is collected, another thread gets the time to read."""

    def __init__(self, collected: Event, others_turn: Event) -> None:
        self.collected, self.others_turn = collected, others_turn
        self.circle = self

    def __del__(self) -> None:
        self.collected.set()
        self.others_turn.wait(0.5)


def deeper(work: Callable[[], object], by: int = 20) -> None:
    deeper(work, by - 1) if by else work()


@pytest.mark.parametrize("library", [syntax_tree, ast.parse])
def test_another_thread_may_read_while_a_tree_is_made(library: Callable[[str], ast.Module]) -> None:
    collected, has_read = Event(), Event()

    def read() -> None:
        collected.wait()
        library(SOURCE)
        has_read.set()

    other = Thread(target=deeper, args=[read])
    other.start()
    gc.collect()
    Garbage(collected, has_read)  # found by the first collection, which the making of the tree brings about
    (function,) = syntax_tree(SOURCE).body
    other.join()
    assert collected.is_set()
    assert has_read.is_set()
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "attend"

"""What every part of the expression reader shares: problems, scope, counting, demands on kinds."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod

from core.language.nodes import Expression
from core.language.reading.problems import Problems
from core.language.reading.scope import Scope
from core.language.vocabulary import AS_CONDITION, KIND_NAMES, MAX_NODES
from core.types import HeadId

NUMERIC = ("number", "boolean")  # True counts as 1, False as 0


class Reader(ABC):
    """Reads `ast` expressions into nodes; None stands for one that has a problem, already reported."""

    def __init__(self, problems: Problems, scope: Scope) -> None:
        self.problems = problems
        self.scope = scope
        self.nodes = 0
        self.features: set[str] = set()  # attributes and token functions read so far
        self.looks: set[HeadId] = set()  # heads that are looked at

    @abstractmethod
    def read(self, node: ast.expr, depth: int) -> Expression | None:
        """The node for any expression, `depth` levels deep; None after reporting a problem."""

    def tally(self, node: ast.AST) -> None:
        """Count one node against the limit."""
        self.nodes += 1
        if self.nodes == MAX_NODES + 1:
            self.problems.at(node, f"the program has more than {MAX_NODES} nodes from here on; shorten it")

    def problem(self, node: ast.AST, message: str) -> None:
        """Problems a problem where `node` starts."""
        self.problems.at(node, message)

    def number(self, node: ast.expr, depth: int, place: str) -> Expression | None:
        """An expression that must be a number or boolean; `place` says where it stands."""
        value = self.read(node, depth)
        if value is None or value.kind in NUMERIC:
            return value
        quoted, kind = self.problems.quote(node), KIND_NAMES[value.kind]
        instead = f"compare it, as in `{'k.text' if value.kind == 'text' else 'k'} == ...`"
        if value.kind == "token":
            instead = "use one of its numbers, such as `.index`"
        self.problem(node, f"{quoted} is {kind}, but {place} needs a number; {instead}")
        return None

    def condition(self, node: ast.expr, depth: int, place: str) -> Expression | None:
        """An expression that must be true or false."""
        value = self.read(node, depth)
        if value is None or value.kind == "boolean":
            return value
        quoted, kind = self.problems.quote(node), KIND_NAMES[value.kind]
        instead = f"{quoted[:-1]} {AS_CONDITION[value.kind]}`"
        self.problem(node, f"{quoted} is {kind}, but {place} needs true or false; write {instead}")
        return None

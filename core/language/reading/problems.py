"""Problems found while reading a program, with positions as an editor shows them."""

from __future__ import annotations

import ast

from core.errors import Problem, ProgramError

_QUOTED = 40  # characters of source quoted in a message


class Problems:
    """Collects every problem of one source text; `lines` are split at newlines only, as Python does."""

    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self._problems: dict[tuple[int, int], Problem] = {}

    def is_clean_at(self, node: ast.AST) -> bool:
        """Whether nothing was found where `node` starts."""
        return self.start(node) not in self._problems

    def add(self, line: int, column: int, message: str) -> None:
        """Note one problem; the first at a position stands, as later ones follow from it."""
        position = (max(line, 1), max(column, 1))
        self._problems.setdefault(position, Problem(*position, message))

    def at(self, node: ast.AST, message: str) -> None:
        """Note a problem where `node` starts."""
        self.add(*self.start(node), message)

    def raise_if_any(self) -> None:
        """Raise ProgramError with all problems in source order, if there are any."""
        if self._problems:
            raise ProgramError([self._problems[position] for position in sorted(self._problems)])

    def start(self, node: ast.AST) -> tuple[int, int]:
        """Line and column of a node, in characters from 1; `ast` counts UTF-8 bytes from 0."""
        position = vars(node)
        line = int(position.get("lineno", 1))
        return line, self._column(line, int(position.get("col_offset", 0)))

    def end_column(self, node: ast.expr) -> int:
        """The column after a node's last character."""
        return self._column(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def quote(self, node: ast.expr) -> str:
        """The node's source in backticks: its first line, shortened if long."""
        line, column = self.start(node)
        one_line = node.end_lineno == line
        text = self.lines[line - 1][column - 1 : self.end_column(node) - 1 if one_line else None]
        return f"`{text if len(text) <= _QUOTED and one_line else text[:_QUOTED] + '…'}`"

    def _column(self, line: int, offset: int) -> int:
        if not 1 <= line <= len(self.lines):
            return 1
        return len(self.lines[line - 1].encode()[:offset].decode(errors="ignore")) + 1

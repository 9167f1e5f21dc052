"""Why a program gives one pair its weight: the lines that fired and what each contributed.

Nothing is executed: the same scalar interpreter that defines a program's meaning walks the node tree once
more, for one pair, and writes down what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from core.features import Features, Kind, Token
from core.language import nodes as n
from core.language.reading.program import ParsedProgram
from core.language.render import render_expression
from core.language.scalar.reference import Pair, SentenceLooks
from core.language.tensor.evaluator import Evaluator
from core.language.values.looks import Looks
from core.language.values.scalars import PairFailed, Scalar, arithmetic
from core.types import Failure

RETURNED = "return"  # no local can have this name
_CONDITION = re.compile(r"\s*(?:el)?if\b\s*(.+?)\s*:\s*")


@dataclass(frozen=True)
class Observation:
    """An attribute or a call as written, and its value for this pair."""

    source: str
    kind: Kind
    value: Scalar  # a token is its index, -1 if it does not exist


@dataclass(frozen=True)
class Contribution:
    """What one line did: `name` becomes `operand`, or `name operator operand`."""

    line: int
    name: str  # a local, or RETURNED
    operator: Literal["="] | n.ArithmeticOperator
    operand: Scalar
    value: Scalar  # of the local afterwards
    kind: Kind
    conditions: tuple[str, ...]  # of the branches around the line, all of which held
    readings: tuple[Observation, ...]  # what those conditions and the line itself looked at
    is_plain: bool = False  # it only hands on a local, as `return weight` does


@dataclass(frozen=True)
class Trace:
    """A pair's way through a program; after a failure, the way up to it."""

    contributions: tuple[Contribution, ...]
    passed_over: tuple[int, ...]  # lines whose condition did not hold
    weight: float  # before the row is divided by its sum; never negative
    failure: Failure | None = None


def trace(
    program: ParsedProgram,
    tokens: Sequence[Token],
    query: int,
    key: int,
    looks: SentenceLooks | None = None,
) -> Trace:
    """The lines that fired for one pair, in the order they ran; the last contribution returned.

    Contributions replay to the weight: apply each to its local, and take what was returned.
    """
    pair = _TracedPair(program, tokens, query, key, looks)
    try:
        weight, failure = max(0.0, pair.run(program.body)), None
    except PairFailed as failed:
        weight, failure = 0.0, failed.failure
    return Trace(tuple(pair.contributions), tuple(pair.passed_over), weight, failure)


def row_total(
    program: ParsedProgram, features: Features, query: int, causal: bool, looks: Looks | None = None
) -> float:
    """The sum that a query's weights are divided by, on the first sentence of `features`.

    0 if no weight is above 0, or the sentence fails.
    """
    for batch, value, failed in Evaluator(features.select([0]), causal, looks=looks).values(program.body):
        if not failed:
            weights = (value.tensor.clamp(min=0) * batch.counts)[0, query]
            return float(weights.double().sum())
    return 0.0


def as_written(test: n.Expression, lines: Sequence[str]) -> str:
    """A condition as a program of these lines spells it, if it stands on one of them."""
    found = _CONDITION.fullmatch(lines[test.line - 1])
    return found[1] if found else render_expression(test)


class _TracedPair(Pair):
    """The reference interpreter, taking notes."""

    def __init__(
        self,
        program: ParsedProgram,
        tokens: Sequence[Token],
        query: int,
        key: int,
        looks: SentenceLooks | None,
    ) -> None:
        super().__init__(tokens, query, key, looks)
        self._lines = program.source.split("\n")
        self.contributions: list[Contribution] = []
        self.passed_over: list[int] = []
        self._conditions: tuple[str, ...] = ()
        self._around: dict[str, Observation] = {}  # read by the conditions around
        self._readings: dict[str, Observation] = {}  # read by the statement under way
        self._inside = False  # of an attribute or call, whose own parts are not worth a note

    def block(self, block: n.Block) -> float | None:
        """Run statements, noting each; the weight if one of them returned."""
        for statement in block:
            self._readings = {}
            match statement:
                case n.Return():
                    start = len(self.contributions)
                    weight = float(self._apply(statement.value, statement.line))
                    plain = isinstance(statement.value, n.Local) or len(self.contributions) > start
                    self._note(statement.line, RETURNED, "=", weight, weight, "number", plain)
                    return weight
                case n.Assign():
                    self._assign(statement)
                case n.If():
                    weight_inside = self._if(statement)
                    if weight_inside is not None:
                        return weight_inside
        return None

    def value(self, node: n.Expression) -> Scalar:
        """The value of any expression; notes those that look at tokens."""
        if self._inside or not isinstance(node, n.Attribute | n.Call | n.Table | n.Look):
            return super().value(node)
        self._inside = True
        try:
            value = super().value(node)
        finally:
            self._inside = False
        source = render_expression(node)
        self._readings[source] = Observation(source, node.kind, value)
        return value

    def _assign(self, statement: n.Assign) -> None:
        value, name = statement.value, statement.name
        if isinstance(value, n.Arithmetic) and isinstance(value.first, n.Local) and value.first.name == name:
            self.locals[name] = self._apply(value, statement.line)
            return
        found = self.value(value)
        self.locals[name] = float(found) if statement.kind == "number" else found
        self._note(statement.line, name, "=", self.locals[name], self.locals[name], statement.kind)

    def _apply(self, node: n.Expression, line: int) -> float:
        """A number; a chain that starts from a local is noted step by step."""
        if not (isinstance(node, n.Arithmetic) and isinstance(node.first, n.Local)):
            return self.number(node)
        value = self.number(node.first)
        for step in node.steps:
            operand = self.number(step.operand)
            value = arithmetic(step.operator, value, operand, step.line)
            self._note(line, node.first.name, step.operator, operand, value, "number")
        return value

    def _if(self, statement: n.If) -> float | None:
        refused: list[str] = []
        for test, block in statement.branches:
            source = as_written(test, self._lines)
            if self.value(test):
                with self._under((source,)):
                    return self.block(block)
            self.passed_over.append(test.line)
            refused.append(f"not ({source})")
        with self._under(tuple(refused)):
            return self.block(statement.otherwise)

    @contextmanager
    def _under(self, conditions: tuple[str, ...]) -> Iterator[None]:
        """Inside a branch: its conditions hold, and what they looked at counts."""
        before = self._conditions, self._around
        self._conditions = (*self._conditions, *conditions)
        self._around = {**self._around, **self._readings}
        try:
            yield
        finally:
            self._conditions, self._around = before

    def _note(
        self,
        line: int,
        name: str,
        operator: Literal["="] | n.ArithmeticOperator,
        operand: Scalar,
        value: Scalar,
        kind: Kind,
        is_plain: bool = False,
    ) -> None:
        readings = tuple({**self._around, **self._readings}.values())
        self.contributions.append(
            Contribution(line, name, operator, operand, value, kind, self._conditions, readings, is_plain)
        )
        self._readings = {}

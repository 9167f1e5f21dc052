"""What `trace` says of one pair, for every pair of some sentences at once.

A program's steps are the same for all pairs; what differs is which of them a pair comes through, and the
numbers there. So each step is told once, with a mask and its operand over all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.features import Features, Kind
from core.language import nodes as n
from core.language.factors import LookPower, look_power
from core.language.reading.program import ParsedProgram
from core.language.render import render_expression
from core.language.scalar.trace import RETURNED, as_written
from core.language.tensor.recorder import Path
from core.language.tensor.statements import Interpreter
from core.language.tensor.work import MAX_WORK
from core.language.values.batch import Batch
from core.language.values.looks import Looks
from core.language.values.tensors import Value
from core.language.values.texts import Texts
from core.language.walk import parts
from core.types import Failure

_MAX_ELEMENTS = 2**27


@dataclass(frozen=True)
class Step:
    """What one line does to a local, of every pair that comes through it."""

    line: int
    name: str  # a local, or RETURNED
    operator: Literal["="] | n.ArithmeticOperator
    kind: Kind
    conditions: tuple[str, ...]  # of the branches around the line
    reads: tuple[str, ...]  # attributes of tokens, as written, that those conditions and the line read
    fired: Tensor  # bool [sentence, query, key]
    operand: Tensor  # float32, bool or int64, broadcasts to the same; a token is its index, -1: none
    texts: tuple[str, ...] = ()  # of an operand that is a text: what its numbers stand for
    look: LookPower | None = None  # the operand, where it is one


@dataclass(frozen=True)
class TracedBatch:
    """The steps of a program on sentences of like length, padded to the longest."""

    steps: tuple[Step, ...]  # in the order in which they run
    weights: Tensor  # float32 [sentence, query, key], before rows are divided by their sums; never negative
    failures: Mapping[int, Failure]  # by sentence


def traced(
    program: ParsedProgram, features: Features, causal: bool = True, looks: Looks | None = None
) -> TracedBatch:
    """Every step of a program on all sentences of `features`, which are padded to the longest."""
    if not features.lengths.any():
        return TracedBatch((), torch.zeros(len(features), 0, 0), {})
    device = torch.device("cpu")
    texts = Texts(features.texts, device)
    batch = Batch(features, range(len(features)), texts, causal, device, looks)
    interpreter = _Traced(batch, program)
    value, failures = interpreter.run(program.body)
    weights = value.tensor.clamp(min=0) * batch.counts
    return TracedBatch(tuple(interpreter.steps), weights, failures)


class _Traced(Interpreter):
    """The tensor interpreter, taking notes before each statement."""

    def __init__(self, batch: Batch, program: ParsedProgram) -> None:
        super().__init__(batch, _MAX_ELEMENTS, 16 * MAX_WORK, {})
        self.steps: list[Step] = []
        self._around = dict(_around(program.body, program.source.split("\n")))

    def _block(self, block: n.Block, path: Path) -> Path | None:
        for statement in block:
            if not isinstance(statement, n.If):
                self.recorder.path = path
                self._note(statement, self.recorder.mask(path) & self.batch.pairs)
            after = super()._block((statement,), path)
            if after is None:
                return None
            path = after
        return path

    def _note(self, statement: n.Assign | n.Return, fired: Tensor) -> None:
        value = statement.value
        name = statement.name if isinstance(statement, n.Assign) else RETURNED
        chain = isinstance(value, n.Arithmetic) and isinstance(value.first, n.Local)
        if chain and (name == RETURNED or value.first.name == name):  # type: ignore[union-attr]
            for step in value.steps:  # type: ignore[union-attr]
                held = value.first.name  # type: ignore[union-attr]
                self._step(statement, held, step.operator, step.operand, "number", fired)
        elif not isinstance(value, n.Local) or name != RETURNED:
            kind: Kind = statement.kind if isinstance(statement, n.Assign) else "number"
            self._step(statement, name, "=", value, kind, fired)

    def _step(
        self,
        statement: n.Assign | n.Return,
        name: str,
        operator: Literal["="] | n.ArithmeticOperator,
        operand: n.Expression,
        kind: Kind,
        fired: Tensor,
    ) -> None:
        found: Value = self.expressions.value(operand)
        found = found.numeric() if kind == "number" else found
        conditions, tests = self._around[id(statement)]
        read = (*tests, operand)
        reads = dict.fromkeys(source for part in read for source in _attributes(part))
        words = self.batch.texts.words if kind == "text" else ()
        self.steps.append(
            Step(
                statement.line, name, operator, kind, conditions, tuple(reads), fired,
                found.tensor, tuple(words), look_power(operand),
            )
        )  # fmt: skip


_Around = tuple[tuple[str, ...], tuple[n.Expression, ...]]  # conditions as written, and as expressions


def _around(block: n.Block, lines: list[str], outside: _Around = ((), ())) -> Iterator[tuple[int, _Around]]:
    """The conditions around each statement, by its identity."""
    words, tests = outside
    for statement in block:
        if not isinstance(statement, n.If):
            yield id(statement), outside
            continue
        refused: list[str] = []
        for test, inside in statement.branches:
            source = as_written(test, lines)
            yield from _around(inside, lines, ((*words, source), (*tests, test)))
            refused.append(f"not ({source})")
        otherwise = (*words, *refused), (*tests, *(test for test, _ in statement.branches))
        yield from _around(statement.otherwise, lines, otherwise)


def _attributes(node: n.Expression) -> Iterator[str]:
    """Chains such as `q.prev.pos` that an expression reads, as written."""
    for part in parts(node):
        token: n.Expression = part
        while isinstance(token, n.Attribute):
            token = token.token
        if isinstance(part, n.Attribute) and isinstance(token, n.Parameter) and part.kind != "token":
            yield render_expression(part)

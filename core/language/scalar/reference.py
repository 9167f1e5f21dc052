"""The meaning of a program: scalar values, one pair of tokens at a time. Slow and obvious on purpose.

Arithmetic on single numbers is in values/scalars.py, functions are in functions/.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.features import Token
from core.language import failures
from core.language import nodes as n
from core.language.functions import FUNCTIONS, ScalarCall
from core.language.precision import single
from core.language.reading.program import ParsedProgram
from core.language.values.scalars import NO_TOKEN, PairFailed, Scalar, arithmetic, attribute_of
from core.types import Failure, HeadId

SentenceLooks = Mapping[HeadId, Any]  # a head's weights [query][key] on one sentence

_COMPARE: Mapping[n.ComparisonOperator, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def reference(
    program: ParsedProgram, tokens: Sequence[Token], causal: bool = True, looks: SentenceLooks | None = None
) -> list[list[float]] | Failure:
    """Attention weights [query][key] of a program on one sentence, or the first pair's Failure.

    Pairs are taken row by row, keys from left to right; with `causal` only keys at or before the query.
    Negative weights count as 0, each row is divided by its sum (in 64 bits, so that the sum of large
    weights is finite), and a row without weight goes to token 0. No tokens give []. `looks` holds the
    weights [query][key] of the heads that the program looks at.
    """
    rows = []
    for query in range(len(tokens)):
        keys = query + 1 if causal else len(tokens)
        try:
            weights = [max(0.0, Pair(tokens, query, key, looks).run(program.body)) for key in range(keys)]
        except PairFailed as failed:
            return failed.failure
        total = math.fsum(weights)
        row = [weight / total for weight in weights] if total > 0 else [1.0] + [0.0] * (keys - 1)
        rows.append(row + [0.0] * (len(tokens) - keys))
    return rows


class Pair:
    """One query, one key, and the locals of the program between them."""

    def __init__(
        self, tokens: Sequence[Token], query: int, key: int, looks: SentenceLooks | None = None
    ) -> None:
        self.tokens = tokens
        self.looks = {} if looks is None else looks
        self.parameters = {"q": query, "k": key}
        self.locals: dict[str, Scalar] = {}

    def run(self, body: n.Block) -> float:
        """The weight that the program returns."""
        weight = self.block(body)
        assert weight is not None, "parsing made sure that every path returns"
        return weight

    def block(self, block: n.Block) -> float | None:
        """Run statements; the weight if one of them returned."""
        for statement in block:
            match statement:
                case n.Return():
                    return self.number(statement.value)
                case n.Assign():
                    value = self.value(statement.value)
                    self.locals[statement.name] = float(value) if statement.kind == "number" else value
                case n.If():
                    weight = self.block(self.taken(statement))
                    if weight is not None:
                        return weight
        return None

    def taken(self, statement: n.If) -> n.Block:
        """The branch whose condition holds."""
        for test, block in statement.branches:
            if self.value(test):
                return block
        return statement.otherwise

    def number(self, node: n.Expression) -> float:
        """A number, or a boolean as 1 or 0."""
        return float(self.value(node))

    def token(self, node: n.Expression) -> int:
        """A token's index, -1 if there is no such token."""
        return int(self.value(node))

    def value(self, node: n.Expression) -> Scalar:
        """The value of any expression."""
        match node:
            case n.Number():
                return single(node.value)
            case n.Text() | n.Truth():
                return node.value
            case n.Parameter():
                return self.parameters[node.name]
            case n.Local():
                return self.locals[node.name]
            case n.Attribute():
                return attribute_of(self.tokens, self.token(node.token), node.name)
            case n.Sign():
                value = self.number(node.operand)
                return -value if node.operator == "-" else value
            case n.Arithmetic():
                return self.chain(node)
            case n.Comparison():
                return self.comparison(node)
            case n.Membership():
                choices = [c if isinstance(c, str) else single(c) for c in node.choices]
                return (self.value(node.item) in choices) != node.negated
            case n.Missing():
                return (self.token(node.token) == NO_TOKEN) != node.negated
            case n.Not():
                return not self.value(node.operand)
            case n.Logic():
                decides = node.operator == "or"
                return decides if any(self.value(o) == decides for o in node.operands) else not decides
            case n.Conditional():
                chosen = self.value(node.then if self.value(node.test) else node.otherwise)
                return float(chosen) if node.kind == "number" else chosen
            case n.Call():
                return self.call(node)
            case n.Table():
                return self.table(node)
            case n.Look():
                return self.look(node)

    def chain(self, node: n.Arithmetic) -> float:
        """a + b * c, operand by operand."""
        value = self.number(node.first)
        for step in node.steps:
            value = arithmetic(step.operator, value, self.number(step.operand), step.line)
        return value

    def comparison(self, node: n.Comparison) -> bool:
        """a < b < c, stopping at the first that does not hold."""
        left = self.value(node.operands[0])
        for symbol, operand in zip(node.operators, node.operands[1:], strict=True):
            right = self.value(operand)
            if not _COMPARE[symbol](left, right):
                return False
            left = right
        return True

    def table(self, node: n.Table) -> float:
        """The number beside the subject's value; everything is evaluated, from left to right."""
        subject = self.value(node.subject)
        numbers = [self.number(number) for number in node.numbers]
        otherwise = self.number(node.otherwise)
        choices = [c if isinstance(c, str) else single(c) for c in node.choices]
        return numbers[choices.index(subject)] if subject in choices else otherwise

    def look(self, node: n.Look) -> float:
        """The weight that another head gives; 0 if either token does not exist."""
        query, key = self.token(node.query), self.token(node.key)
        if node.head not in self.looks:
            raise PairFailed(failures.unseen(node.line, node.head))
        return 0.0 if NO_TOKEN in (query, key) else single(float(self.looks[node.head][query][key]))

    def call(self, node: n.Call) -> Scalar:
        """A function call; arguments are evaluated first, from left to right."""
        arguments = [self.value(argument) for argument in node.arguments]
        wanted = {name: self.value(value) for name, value in node.keywords}
        call = ScalarCall(node.function, node.line, arguments, wanted, self.tokens)
        return FUNCTIONS[node.function].scalar(call)

"""The node tree of a parsed program: frozen, typed, and free of anything that could run.

Two nodes are equal when they say the same thing, wherever they stand: positions do not count.
Lines and columns count from 1, in characters. Operator chains such as `a + b - c` are one flat node,
so the tree is never deeper than the nesting limit, however long a sum is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from core.features import ATTRIBUTES, Kind
from core.types import HeadId

ArithmeticOperator = Literal["+", "-", "*", "/", "//", "%", "**"]
ComparisonOperator = Literal["==", "!=", "<", "<=", ">", ">="]
Constant = float | str


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node starts in the source."""

    line: int = field(compare=False)
    column: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A numeric literal; its span lets a fitted constant be written back in place."""

    end_column: int = field(compare=False)  # exclusive; a literal never spans lines
    value: float
    kind: ClassVar[Kind] = "number"


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A string literal."""

    value: str
    kind: ClassVar[Kind] = "text"


@dataclass(frozen=True, slots=True)
class Truth(Node):
    """`True` or `False`."""

    value: bool
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """`q`, the token that looks, or `k`, the token looked at."""

    name: Literal["q", "k"]
    kind: ClassVar[Kind] = "token"


@dataclass(frozen=True, slots=True)
class Local(Node):
    """The value of a local name."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """An attribute of a token."""

    token: Expression
    name: str

    @property
    def kind(self) -> Kind:
        """The attribute's kind."""
        return ATTRIBUTES[self.name].kind


@dataclass(frozen=True, slots=True)
class Sign(Node):
    """Unary `-` or `+`."""

    operator: Literal["-", "+"]
    operand: Expression
    kind: ClassVar[Kind] = "number"


@dataclass(frozen=True, slots=True)
class Step(Node):
    """One operator of a chain and what stands to its right; the position is the right operand's."""

    operator: ArithmeticOperator
    operand: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`first`, then each step applied to what came before: (((first + a) * b) - c)."""

    first: Expression
    steps: tuple[Step, ...]
    kind: ClassVar[Kind] = "number"


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`a < b <= c`: true if each neighbouring pair compares so; stops at the first that does not."""

    operands: tuple[Expression, ...]  # one more than operators
    operators: tuple[ComparisonOperator, ...]
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Membership(Node):
    """`item in {"a", "b"}`, or `not in` when negated."""

    item: Expression
    choices: tuple[Constant, ...]
    negated: bool
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Missing(Node):
    """`token == None`: true if there is no such token; `token != None` when negated."""

    token: Expression
    negated: bool
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not operand`."""

    operand: Expression
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`a and b and c`, or the same with `or`; stops at the operand that decides."""

    operator: Literal["and", "or"]
    operands: tuple[Expression, ...]
    kind: ClassVar[Kind] = "boolean"


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`then if test else otherwise`."""

    test: Expression
    then: Expression
    otherwise: Expression
    kind: Kind


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call of one of the language's functions; keywords only for last, first and count."""

    function: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table(Node):
    """`table(subject, {"a": 2, "b": 3}, 1)`: the number beside the subject's value, else the last one."""

    subject: Expression  # a text or a number
    choices: tuple[Constant, ...]  # all of the subject's kind, in order of value
    numbers: tuple[Expression, ...]  # one for each choice: a literal, perhaps with a sign
    otherwise: Expression
    kind: ClassVar[Kind] = "number"


@dataclass(frozen=True, slots=True)
class Look(Node):
    """`look("L19H7", q, k)`: the weight that another head gives from one token to another."""

    head: HeadId
    query: Expression
    key: Expression
    kind: ClassVar[Kind] = "number"


Expression = (
    Number
    | Text
    | Truth
    | Parameter
    | Local
    | Attribute
    | Sign
    | Arithmetic
    | Comparison
    | Membership
    | Missing
    | Not
    | Logic
    | Conditional
    | Call
    | Table
    | Look
)


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`name = value`; `name += value` arrives as `name = name + value`. `kind` is the local's kind."""

    name: str
    value: Expression
    kind: Kind


@dataclass(frozen=True, slots=True)
class Return(Node):
    """`return value`: the pair's weight."""

    value: Expression


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if`, any number of `elif`, and `else`, which is empty if there is none."""

    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


Statement = Assign | Return | If
Block = tuple[Statement, ...]

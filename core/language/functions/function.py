"""What a function of the language is, and the door through which each one enters `FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.doors import Door
from core.features import ATTRIBUTES, Kind, Token
from core.language.values.arithmetic import Fail
from core.language.values.batch import Batch
from core.language.values.scalars import Scalar
from core.language.values.tensors import Value


@dataclass(frozen=True)
class ScalarCall:
    """One call for one pair of tokens, its arguments evaluated."""

    name: str
    line: int
    arguments: Sequence[Scalar]
    wanted: Mapping[str, Scalar]  # the equalities of a search
    tokens: Sequence[Token]  # of the passage

    @property
    def numbers(self) -> list[float]:
        """The arguments as numbers, booleans as 1 and 0."""
        return [float(argument) for argument in self.arguments]

    @property
    def texts(self) -> list[str]:
        """The arguments as texts."""
        return [str(argument) for argument in self.arguments]

    @property
    def places(self) -> list[int]:
        """The arguments as places of tokens, -1 for one that does not exist."""
        return [int(argument) for argument in self.arguments]


@dataclass(frozen=True)
class TensorCall:
    """One call for all pairs of a batch, its arguments evaluated."""

    name: str
    line: int
    arguments: Sequence[Value]
    wanted: Sequence[tuple[str, Value]]  # the equalities of a search
    batch: Batch
    fail: Fail  # records a failure at some of the pairs
    max_elements: int  # that one operation may touch for one sentence

    @property
    def numbers(self) -> list[Value]:
        """The arguments as numbers, booleans as 1 and 0."""
        return [argument.numeric() for argument in self.arguments]


@dataclass(frozen=True)
class Function:
    """Everything there is to know about one function of the language.

    `scalar` is the definition: it raises PairFailed where the function has no value. `tensor` gives the
    same within 1e-5 and fails at exactly the same pairs, in the same words. `exported` is the function as
    an exported program has it: Python source, numbers as `Number`, nothing but what runtime.py has.
    """

    name: str
    parameters: tuple[Kind, ...]
    result: Kind
    meaning: str
    example: str  # how a call is written, quoted in error messages
    scalar: Callable[[ScalarCall], Scalar]
    tensor: Callable[[TensorCall], Value]
    exported: str
    variadic: bool = False  # the last parameter may repeat
    searches: bool = False  # takes attribute=value keywords, at least one
    reads_tokens: bool = False  # it is among the features of a program that calls it
    lookahead: bool = False  # reads text to the right, whatever it is given
    may_fit: bool = False  # literals in its arguments shape a weight, so they may be fitted
    place: Literal["", "is one", "of a place"] = ""  # a position in the passage, or one if an argument is
    tells: Literal["", "words", "likeness"] = ""  # for `describe`: of texts compared, of like words

    @property
    def signature(self) -> str:
        """How it is called: `last(token, attribute=value, ...)`."""
        more = ["..."] * self.variadic + ["attribute=value, ..."] * self.searches
        return f"{self.name}({', '.join([*self.parameters, *more])})"


FUNCTIONS: Door[Function] = Door("function of the language")


def needs_lookahead(feature: str) -> bool:
    """Whether an attribute or function of this name needs text to the right of a token."""
    if feature in FUNCTIONS:
        return FUNCTIONS[feature].lookahead
    return ATTRIBUTES[feature].lookahead

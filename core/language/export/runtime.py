"""Attention weights of one Headscript program; needs nothing but Python 3.10 or later.

    python FILE.py < tokens.json > weights.json       add --encoder to let tokens look ahead
    weights = attention(tokens, causal=True)          weights[query][key]; each row sums to 1

`tokens` is a list. Each item is a token's text with the white space that belongs to it ("The", " cat"),
or a dict with that under "text" and any attributes of the program language beside it:

    [{"text": "The", "pos": "DET"}, {"text": " cat", "pos": "NOUN"}]

Worked out from the texts unless given:
<computed>
From the order of the list, always: index prev next.
Given with every token if the program reads it; `head` is a place in the list, or None:
<given>
For similarity(): "vector", the model's input embedding, a list of numbers.
A special token such as "<s>" has "special": True, and none of its is_... attributes but is_first is true.
Where a tokenizer splits one character over several tokens, give is_word_start.

Negative weights count as 0; each row is divided by its sum; a row without weight goes to token 0.
What `look` reads of other heads is what their programs in this file give, not a model's attention.
Whatever cannot be computed (a division by 0, a number beyond 3.4e38) raises AttentionError.
Numbers are 64-bit here and 32-bit in Headscript: weights differ by about 1e-6, except where a program
asks whether two computed fractions are equal, or rounds one down.
"""

from __future__ import annotations

import builtins
import json
import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

# <repository>
from core.features import ATTRIBUTES
from core.features.left_context import LeftContext
from core.features.occurrence import Occurrence, is_of_word

# </repository>

PROGRAMS: dict[str, Callable[[Token, Token], float]] = {}  # of the heads that are looked at, in their order

# <program>
READS: tuple[str, ...] = ()  # what the program asks of a token


def attend(q: Token, k: Token) -> float:
    """An exported file has its program here."""
    return 1.0


# </program>

LARGEST = 3.4028234663852886e38  # of 32-bit numbers


# What can be said of a token, as Headscript itself reads it

# <attributes>
MISSING: dict[str, Any] = {}
LINKS: tuple[str, ...] = ()
COMPUTED = {name: attribute.read for name, attribute in ATTRIBUTES.items()}
# </attributes>


class AttentionError(ValueError):
    """Tokens that cannot be read, or a weight that cannot be computed."""


def _checked(compute: Callable[[float, float], Any]) -> Any:
    return lambda number, other: Number(compute(float(number), float(other)))


class Number(float):
    """A real, finite number; arithmetic that gives any other raises ArithmeticError."""

    def __new__(cls, value: Any) -> Number:
        """The value, or ArithmeticError."""
        if isinstance(value, complex):
            raise ArithmeticError("`**` of a negative number to a fractional power")
        if not -LARGEST <= value <= LARGEST:
            raise ArithmeticError("the result is too large")
        return float.__new__(cls, value)

    __add__ = __radd__ = _checked(operator.add)
    __mul__ = __rmul__ = _checked(operator.mul)
    __sub__ = _checked(operator.sub)
    __rsub__ = _checked(lambda number, other: other - number)
    __truediv__ = _checked(operator.truediv)
    __rtruediv__ = _checked(lambda number, other: other / number)
    __floordiv__ = _checked(operator.floordiv)
    __rfloordiv__ = _checked(lambda number, other: other // number)
    __mod__ = _checked(operator.mod)
    __rmod__ = _checked(lambda number, other: other % number)
    __pow__ = _checked(operator.pow)
    __rpow__ = _checked(lambda number, other: other**number)

    def __neg__(self) -> Number:
        return Number(-float(self))

    def __pos__(self) -> Number:
        return self


class Token:
    """A token with the attributes that the program reads; one that does not exist equals None."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __getattr__(self, name: str) -> Any:
        raise AttentionError(f"token {self.at} has no {name!r}, which READS does not list")

    def __eq__(self, other: object) -> bool:
        return self.at == (other.at if isinstance(other, Token) else -1)

    def __hash__(self) -> int:
        return hash(self.at)


def _nowhere() -> Token:
    """A token that does not exist; so are its neighbours and head."""
    token = Token(-1)
    for name, value in MISSING.items():
        setattr(token, name, Number(value) if type(value) is int else value)
    for name in LINKS:
        setattr(token, name, token)
    return token


NOWHERE = _nowhere()
PASSAGE: list[Token] = []  # the tokens that attention() is at work on
MAPS: dict[str, list[list[float]] | AttentionError] = {}  # on them, what the heads give that are looked at


# The functions of the language


# <functions>
# </functions>


def _matches(end: int, wanted: dict[str, Any]) -> list[Token]:
    before = PASSAGE[: builtins.max(end, 0)]
    return [token for token in before if all(getattr(token, name) == wanted[name] for name in wanted)]


def look(head: str, query: Token, key: Token) -> Number:
    """The weight that another head's program gives; 0 where it cannot see the key."""
    weights = MAPS[head]
    if isinstance(weights, AttentionError):
        raise weights
    return Number(0.0 if query.at < 0 or key.at < 0 else weights[query.at][key.at])


# The weights


def attention(tokens: Sequence[Any], causal: bool = True) -> list[list[float]]:
    """Weights [query][key]; with `causal` a token sees only itself and those before it."""
    PASSAGE[:] = read_tokens(tokens)
    MAPS.clear()
    for head, program in PROGRAMS.items():
        try:
            MAPS[head] = _rows(program, causal)
        except AttentionError as error:
            MAPS[head] = AttentionError(f"{head}: {error}")
    return _rows(attend, causal)


def _rows(program: Callable[[Token, Token], float], causal: bool) -> list[list[float]]:
    rows = []
    for query in PASSAGE:
        keys = PASSAGE[: query.at + 1] if causal else PASSAGE
        weights = [builtins.max(0.0, float(_weight(program, query, key))) for key in keys]
        total = math.fsum(weights)
        row = [weight / total for weight in weights] if total > 0 else [1.0] + [0.0] * (len(keys) - 1)
        rows.append(row + [0.0] * (len(PASSAGE) - len(keys)))
    return rows


def _weight(program: Callable[[Token, Token], float], query: Token, key: Token) -> Number:
    try:
        return Number(program(query, key))
    except (ArithmeticError, ValueError, TypeError) as error:
        if isinstance(error, AttentionError):
            raise
        raise AttentionError(f"query {query.at}, key {key.at}: {error}") from error


# Reading tokens


def read_tokens(tokens: Sequence[Any]) -> list[Token]:
    """Tokens with every attribute that the program reads; raises AttentionError for what is not given."""
    given = [{"text": token} if isinstance(token, str) else token for token in tokens]
    for at, row in enumerate(given):
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise AttentionError(f'token {at} is {row!r}; write " cat" or {{"text": " cat", ...}}')
    computed = _from_texts(given)
    passage = [Token(at) for at in range(len(given))]
    for token, row, own in zip(passage, given, computed, strict=True):
        values = {**own, **{name: row[name] for name in row if name not in ("index", "text", "prev", "next")}}
        for name in READS:
            if name not in values:
                by_kind = {bool: "true", str: '"..."', int: "1"}
                example = by_kind.get(type(MISSING.get(name)), "[0.1, 0.2]" if name == "vector" else "0")
                found = f"token {token.at} ({row['text']!r}) has no {name!r}, which this program reads"
                raise AttentionError(f'{found}; write {{"text": ..., "{name}": {example}}}')
            setattr(token, name, _value(name, values[name], token.at, passage))
    if len({len(token.vector) for token in passage if "vector" in READS}) > 1:
        raise AttentionError("the tokens' vectors differ in length")
    return passage


def _value(name: str, value: Any, at: int, passage: list[Token]) -> Any:
    """A given attribute as the program reads it; raises AttentionError if it is of the wrong kind."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in LINKS:
        if value is None or (is_number and value == -1):
            return NOWHERE
        if is_number and value in range(len(passage)):
            return passage[int(value)]
    elif name == "vector":
        if isinstance(value, (list, tuple)) and all(isinstance(x, (int, float)) for x in value):
            length = math.sqrt(math.fsum(x * x for x in value))
            return [x / length for x in value] if length > 0 else list(value)
    elif isinstance(MISSING[name], (bool, str)):
        if isinstance(value, type(MISSING[name])):
            return value
    elif is_number:
        return Number(value)
    kind = {bool: "true or false", str: "text", int: "a number"}.get(type(MISSING.get(name)), "")
    wanted = (
        "a list of numbers" if name == "vector" else kind or f"a place from 0 to {len(passage) - 1} or None"
    )
    raise AttentionError(f"token {at} has {name!r} = {value!r}; it must be {wanted}")


def _from_texts(given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What follows from the tokens' texts and their order."""
    rows: list[dict[str, Any]] = []
    reading = LeftContext()
    end = ""  # the character before the token
    for at, row in enumerate(given):
        surface, is_special = row["text"], bool(row.get("special"))
        begins = end if surface == surface.lstrip() else " "
        goes_on = is_of_word(begins) and is_of_word(surface.strip()[:1])
        token = Occurrence(
            at=at,
            count=len(given),
            surface=surface,
            is_special=is_special,
            starts_word=not is_special and bool(surface.strip()) and not goes_on,
            context=reading.step(surface),
        )
        rows.append({name: read(token) for name, read in COMPUTED.items()})
        if surface and not is_special:
            end = surface[-1]
    return rows


def main(arguments: Sequence[str], source: bytes | None = None) -> int:
    """Read JSON tokens, print JSON weights; 0 if that worked."""
    try:
        tokens = json.loads(sys.stdin.buffer.read() if source is None else source)
        if not isinstance(tokens, list):
            raise AttentionError("the input must be a JSON list of tokens")
        print(json.dumps(attention(tokens, causal="--encoder" not in arguments)))
    except (AttentionError, UnicodeError, json.JSONDecodeError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

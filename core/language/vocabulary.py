"""What a program can name beside attributes and functions, the limits, and advice on wrong names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.features import Kind

MAX_BYTES = 8192  # of source, in UTF-8
MAX_NODES = 600
MAX_NESTING = 40
MAX_NUMBER = 1e6
PARAMETERS = ("q", "k")
PROGRAM_NAME = "attend"


KIND_NAMES: Mapping[Kind, str] = {
    "number": "a number",
    "boolean": "true or false",
    "text": "text",
    "token": "a token",
}
AS_CONDITION: Mapping[Kind, str] = {"number": "!= 0", "text": '!= ""', "token": "!= None"}


@dataclass(frozen=True)
class Form:
    """What is written like a call of a function, but takes what stands nowhere else in the language."""

    parameters: str
    meaning: str
    example: str


FORMS: Mapping[str, Form] = {
    "table": Form(
        "text or number, {literals: numbers}, number",
        "the number beside the value of the first, else the last one; the braces hold literals only",
        'table(q.tag, {"CD": 0.83, "NNP": 1.3}, 1)',
    ),
    "look": Form(
        "head, token, token",
        "the weight that another head gives from the first token to the second, 0 to 1; only a head of an "
        "earlier layer, or of the same layer with a lower number. A power needs a floor: "
        '`weight *= (look("L19H7", q, k) + 0.002) ** 0.44`',
        'look("L19H7", q, k)',
    ),
}

# What people and language models reach for, and what the language has instead.
ATTRIBUTE_HINTS: Mapping[str, str] = {
    "i": "index",
    "idx": "index",
    "position": "index",
    "string": "text",
    "token": "text",
    "ent_type": "entity",
    "ent_type_": "entity",
    "parent": "head",
    "previous": "prev",
    "len": "length",
}
FUNCTION_HINTS: Mapping[str, str] = {
    "len": "a token's length is `k.length`",
    "float": "numbers need no conversion",
    "int": "use `x // 1` to round down",
    "round": "use `(x + 0.5) // 1`",
    "bool": "compare instead, such as `x != 0`",
    "sum": 'add with `+`, or use `count(q, pos="NOUN")`',
    "any": "join conditions with `or`",
    "all": "join conditions with `and`",
    "pow": "use `x ** y`",
    "lower": "use `k.lower`",
    "dict": "use `table(q.tag, {...}, 1)`",
    "attention": 'use `look("L3H7", q, k)`',
    "range": "there are no loops; use `count(...)` or `last(...)`",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` may be a slip for."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return close[0] if close else None

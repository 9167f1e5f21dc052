"""Everything a program can name: its two tokens, the functions and their signatures, the limits."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.features import ATTRIBUTES, Kind

MAX_BYTES = 8192  # of source, in UTF-8
MAX_NODES = 600
MAX_NESTING = 40
MAX_NUMBER = 1e6
PARAMETERS = ("q", "k")
PROGRAM_NAME = "attend"


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives."""

    parameters: tuple[Kind, ...]
    result: Kind
    example: str  # how a call is written, quoted in error messages
    meaning: str
    variadic: bool = False  # the last parameter may repeat
    searches: bool = False  # takes attr=value keywords, at least one


FUNCTIONS: Mapping[str, Signature] = {
    "abs": Signature(("number",), "number", "abs(q.index - k.index)", "distance from 0"),
    "min": Signature(
        ("number", "number"), "number", "min(k.length, 5)", "the smallest of two or more", variadic=True
    ),
    "max": Signature(
        ("number", "number"), "number", "max(k.length, 5)", "the largest of two or more", variadic=True
    ),
    "exp": Signature(("number",), "number", "exp(-k.index)", "e to the power"),
    "log": Signature(("number",), "number", "log(k.index + 1)", "natural logarithm of a number above 0"),
    "sqrt": Signature(("number",), "number", "sqrt(k.index)", "square root of a number not below 0"),
    "startswith": Signature(
        ("text", "text"), "boolean", 'startswith(k.text, "un")', "the first text starts with the second"
    ),
    "endswith": Signature(
        ("text", "text"), "boolean", 'endswith(k.text, "ing")', "the first text ends with the second"
    ),
    "contains": Signature(
        ("text", "text"), "boolean", 'contains(k.text, "-")', "the second text is somewhere in the first"
    ),
    "similarity": Signature(
        ("token", "token"),
        "number",
        "similarity(q, k)",
        "cosine of the model's input embeddings, -1 to 1; 0 if a token does not exist",
    ),
    "last": Signature(
        ("token",),
        "token",
        'last(q, pos="VERB")',
        "the nearest token before the given one that meets all equalities",
        searches=True,
    ),
    "first": Signature(
        (),
        "token",
        'first(pos="VERB")',
        "the first token of the passage that meets all equalities",
        searches=True,
    ),
    "count": Signature(
        ("token",),
        "number",
        "count(q, is_punct=True)",
        "how many tokens before the given one meet all equalities",
        searches=True,
    ),
}

TOKEN_FUNCTIONS = frozenset({"similarity", "last", "first", "count"})
LOOKAHEAD = frozenset({"first"} | {name for name, attribute in ATTRIBUTES.items() if attribute.lookahead})

KIND_NAMES: Mapping[Kind, str] = {
    "number": "a number",
    "boolean": "true or false",
    "text": "text",
    "token": "a token",
}
AS_CONDITION: Mapping[Kind, str] = {"number": "!= 0", "text": '!= ""', "token": "!= None"}

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
    "range": "there are no loops; use `count(...)` or `last(...)`",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` may be a slip for."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return close[0] if close else None

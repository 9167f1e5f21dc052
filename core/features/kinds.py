"""What an attribute of a token is, and the door through which each one enters `ATTRIBUTES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.doors import Door
from core.features.occurrence import Occurrence

Kind = Literal["number", "boolean", "text", "token"]
Value = float | bool | str
Read = Callable[[Occurrence], Value]
Aspect = Literal["form", "place", "word", "grammar"]

DTYPES: Mapping[Kind, Any] = {
    "number": np.float32,
    "boolean": np.bool_,
    "text": np.int32,
    "token": np.int32,
}
_MISSING: Mapping[Kind, Value] = {"number": 0.0, "boolean": False, "text": "", "token": -1}


@dataclass(frozen=True)
class Attribute:
    """Everything there is to know about one attribute of a token."""

    name: str
    kind: Kind
    meaning: str  # in words: for docs, for the guide of a language model and for people
    read: Read  # its value at a token, from what the annotator holds
    missing: Value  # what it is for a token that does not exist
    default: Value  # what it is for tokens of a stored table that was written before it existed
    lookahead: bool = False  # whether it needs text to the right of the token
    from_parser: bool = False  # read from spaCy's word; `missing` where there is none
    aspect: Aspect = "form"  # what of a token it tells, for `describe`
    phrase: str = ""  # what a person calls tokens that have it; `{}` stands for a number or a text
    below: str = ""  # the same for a number below `{}`
    names: Mapping[str, str] = field(default_factory=dict)  # the phrases of texts that have their own


ATTRIBUTES: Door[Attribute] = Door("token attribute")


def attribute(
    name: str,
    kind: Kind,
    meaning: str,
    *,
    missing: Value | None = None,
    default: Value | None = None,
    **others: Any,
) -> Callable[[Read], Read]:
    """Enters an attribute, read by the function below; `others` are further fields of `Attribute`.

    `missing` is 0, false, "" or no token unless given, and `default` is `missing`. A function that reads no
    spaCy word is copied into exported programs, so beside its argument it may use `unicodedata` alone.
    Raises PluginError if the name is taken.
    """

    def enter(read: Read) -> Read:
        nothing = _MISSING[kind] if missing is None else missing
        stored = nothing if default is None else default
        ATTRIBUTES.add(Attribute(name, kind, meaning, read, nothing, stored, **others))
        return read

    return enter


def missing_value(name: str) -> Value:
    """What attribute `name` is for a token that does not exist."""
    return ATTRIBUTES[name].missing

"""Values as they leave the process and come back: any frozen type as JSON.

dump(value)                    JSON text
load(kind, text, where)        ... and back; raises WireError naming the place that is wrong
plain(value), read(kind, plain, where)    the same with dictionaries and lists instead of text

A head is "L3H7" wherever it crosses. Numbers that are not finite are "NaN" and "Infinity". Keys that a type
does not have are passed over, so that a later version may add some.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import cache
from types import UnionType
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from core.errors import WireError

T = TypeVar("T")


def dump(value: object, kind: Any = None) -> str:
    """`value` as JSON; `kind` is its type where that cannot be seen from it, such as `list[Score]`."""
    return _adapter(kind or type(value)).dump_json((value,)).decode()[1:-1]


def load(kind: type[T], text: str | bytes, where: str) -> T:
    """The value of this type that `text` spells; `where` names the text in the WireError if it does not."""
    given = text.encode() if isinstance(text, str) else text
    try:
        found: T = _adapter(kind).validate_json(b"[" + given + b"]")[0]
    except ValidationError as error:
        raise WireError(f"{where}: {_first_fault(error)}") from error
    return found


def plain(value: object, kind: Any = None) -> Any:
    """`value` as the dictionaries, lists, texts and numbers that its JSON holds."""
    return json.loads(dump(value, kind))


def read(kind: type[T] | UnionType, given: Any, where: str) -> T:
    """The value of this type that plain values spell; raises WireError."""
    try:
        found: T = _adapter(kind).validate_python((given,))[0]
    except ValidationError as error:
        raise WireError(f"{where}: {_first_fault(error)}") from error
    return found


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _adapter_of(kind)


@cache
def _adapter_of(kind: Hashable) -> TypeAdapter[Any]:
    # In a tuple, since a dataclass would take no configuration from outside.
    return TypeAdapter(tuple[kind], config=ConfigDict(ser_json_inf_nan="strings"))  # type: ignore[valid-type]


def _first_fault(error: ValidationError) -> str:
    """The first thing that is wrong: its path, what is wanted there, and what stands there."""
    faults = error.errors(include_url=False)
    place = ".".join(str(step) for step in faults[0]["loc"][1:]) or "the whole"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    if faults[0]["type"] == "json_invalid":
        return str(faults[0]["msg"])
    return f"{place}: {faults[0]['msg']}, not {str(faults[0]['input'])[:80]!r}{more}"

"""What a guest says, which is not to be trusted: read within bounds, or refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from core.types import Failure

HEADER = struct.Struct("<IBIII")  # number of the passage, sort, rows, columns, bytes that follow
_MATRIX, _FAILURE = 0, 1
_MOST_TOLD = 2048  # bytes of a failure
KINDS = frozenset({"exception", "import", "memory", "refused", "shape"})  # of failures that a guest may name


class Forged(Exception):
    """Bytes that an honest guest does not send; says what is wrong with them."""


@dataclass(frozen=True)
class Announced:
    """A reply's header, of which the sizes fit the passage."""

    rows: int
    size: int  # bytes that follow
    is_matrix: bool


def announced(header: bytes, number: int, tokens: int) -> Announced:
    """The header of the reply to a passage of so many tokens; raises Forged."""
    said, sort, rows, columns, size = HEADER.unpack(header)
    if said != number:
        raise Forged(f"a reply to passage {said}, where {number} was asked")
    if sort == _MATRIX:
        if (rows, columns, size) != (tokens, tokens, 8 * tokens * tokens):
            raise Forged(f"{size} bytes as a matrix of {rows} x {columns}; the passage has {tokens} tokens")
        return Announced(rows, size, True)
    if sort == _FAILURE:
        if size > _MOST_TOLD:
            raise Forged(f"a failure of {size} bytes")
        return Announced(0, size, False)
    raise Forged(f"a reply of sort {sort}")


def content_of(reply: Announced, content: bytes) -> np.ndarray | Failure:
    """The matrix as float64 [query, key], or the failure; raises Forged."""
    if reply.is_matrix:
        return np.frombuffer(content, "<f8").reshape(reply.rows, reply.rows)
    try:
        kind, _, detail = content.decode("utf-8").partition("\n")
    except UnicodeDecodeError as error:
        raise Forged("a failure that is no text") from error
    if kind not in KINDS:
        raise Forged("a failure of no known kind")
    return Failure(kind, "".join(one if one.isprintable() else " " for one in detail).strip())

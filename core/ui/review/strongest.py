"""What a head looks at most, as text: the queries with the strongest weights, and their keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from core.ui.parts.thumbnails import Query, Shade

COUNT = 5
_OF_ONE = 2  # queries of one passage at most, while others have some
_KEYS = 3  # of head and of program each
_AROUND = (-1, -2, 1, -3, 2, -4, -5, -6)  # tokens beside a key or the query, the most telling first
_LETTERS = 54  # in a line
_LEAST = 0.03  # of the row's weight, below which a key is not shown


@dataclass(frozen=True)
class Looked:
    """A head and a program on a passage."""

    tokens: Sequence[str]
    head: np.ndarray  # float32 [query, key]
    program: np.ndarray  # float32 [query, key]
    rests: Collection[int]  # keys that say nothing of a query, since most heads rest there


def strongest_queries(passages: Sequence[Looked], count: int = COUNT) -> list[Query]:
    """The queries with the strongest weights off the resting places, the strongest first.

    Of the same two tokens one is enough, and of one passage two while others have some; where a head does
    nothing but rest, what it rests on.
    """
    ranked = _ranked(passages, is_resting=False) or _ranked(passages, is_resting=True)
    found: list[tuple[int, int, int]] = []
    seen: set[tuple[str, str]] = set()
    for most in (_OF_ONE, count):
        for _, (at, query, key) in ranked:
            tokens = passages[at].tokens
            pair = tokens[query].strip(), tokens[key].strip()
            if len(found) < count and pair not in seen and sum(one[0] == at for one in found) < most:
                found.append((at, query, key))
                seen.add(pair)
    return [Query(tuple(_shades(passages[at], query)), (at, query, key)) for at, query, key in found]


def _ranked(passages: Sequence[Looked], is_resting: bool) -> list[tuple[float, tuple[int, int, int]]]:
    """Weight, and passage, query and its strongest key; the strongest first, weak ones left out."""
    rows = []
    for at, one in enumerate(passages):
        weights = one.head.copy()
        if not is_resting:
            weights[:, sorted(one.rests)] = 0
        keys = weights.argmax(1)
        for query, key in enumerate(keys.tolist()):
            if query and weights[query, key] >= _LEAST:
                rows.append((float(weights[query, key]), (at, query, key)))
    return sorted(rows, key=lambda row: (-row[0], row[1]))


def _shades(one: Looked, query: int) -> list[Shade]:
    """The keys that head or program look at most, with as much text around them as fits; the query last."""
    keys: dict[int, None] = {}
    for rank in range(_KEYS):
        for weights in (one.head[query], one.program[query]):
            key = int(np.argsort(-weights, kind="stable")[rank]) if rank < len(weights) else query
            if weights[key] >= _LEAST:
                keys[key] = None
    around = [key + by for by in _AROUND for key in (*keys, query) if 0 <= key + by < len(one.tokens)]
    shown, room = {query}, float(_LETTERS)
    for key in (*keys, *around):
        room -= 0 if key in shown else len(one.tokens[key]) + 1
        if room < 0:
            break
        shown.add(key)
    shades: list[Shade] = []
    last = -1
    for key in sorted(shown - {query}):
        shades += [Shade("")] if key > last + 1 else []
        shades.append(_shade(one, query, key))
        last = key
    return [*shades, _shade(one, query, query)]


def _shade(one: Looked, query: int, key: int) -> Shade:
    return Shade(one.tokens[key] or "∅", float(one.head[query, key]), float(one.program[query, key]))

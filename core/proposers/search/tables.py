"""Tables of a few constants: which kinds of tokens, words or distances a line would tell apart best."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from core.proposers.search.gains import Gain, gain
from core.proposers.search.grammar import FIRST, PREVIOUS, SELF, Part
from core.proposers.search.part_values import Values
from core.proposers.search.refit import Fields
from core.proposers.search.rule import Rule, TableOf

_LEAST_TOKENS = 10  # of train that a value must stand on
_LARGEST = 6  # constants of a table
_LEAST_SHARE = 0.03  # of what the best constant gains that each must gain
_PENALTY = 0.8  # values are chosen after looking, so their gain is taken for less
_DISTANCES = 7

_NAMES = {"tag": "by tag", "lower": "by word"}


class TableScreen:
    """The tables of a grammar on the training sentences, ready for any gradient."""

    def __init__(self, values: Values) -> None:
        self.values = values
        layout = values.layout
        self._ids = {name: values.texts(name) for name in _NAMES}
        self._size = len(layout.features.texts)
        self._counts = {
            name: torch.bincount(ids[ids >= 0], minlength=self._size) for name, ids in self._ids.items()
        }
        self._empty = [at for at, text in enumerate(layout.features.texts) if not text]
        distance = layout.query - layout.key
        near = layout.is_real & (distance >= 0) & (distance < _DISTANCES)
        self._distance = torch.where(near, distance, _DISTANCES)
        bases = (base for base in (SELF, PREVIOUS) if base in values.grammar.relations)
        self._where = {base: values.relation(base) for base in bases}
        self._first = values.token(FIRST)[layout.key] > 0

    def rank(self, found: Fields) -> Iterator[list[Gain]]:
        """For each head the tables with their gains, largest first."""
        spread = (found.weights - found.weights.square()) * self.values.layout.share  # as if keys stood alone
        for slope, own in zip(found.ascent, spread, strict=True):
            gains = [pair for pair in self._tables(slope, own) if pair[0] > 0]
            yield sorted(gains, key=lambda pair: -pair[0])

    def _tables(self, slope: Tensor, spread: Tensor) -> Iterator[Gain]:
        """Of one head, given slope and spread of every row cell."""
        layout = self.values.layout
        bases: list[tuple[Part | None, Part | None, str, Tensor | None]] = [
            (None, None, "k", None),
            (FIRST, None, "q", self._first),
            *((None, base, "q", where) for base, where in self._where.items()),
        ]
        for key, relation, token, where in bases:
            at = layout.key if token == "k" else layout.query
            own, held = (part if where is None else part * where for part in (slope, spread))
            by_token = [part.new_zeros(layout.tokens).index_add_(0, at, part) for part in (own, held)]
            best = max((self._of_texts(name, token, *by_token) for name in _NAMES), key=lambda pair: pair[0])
            if best[1] is not None:
                yield best[0], Rule(key=key, relation=relation, table=best[1])
        sums = [
            part.new_zeros(_DISTANCES + 1).index_add_(0, self._distance, part) for part in (slope, spread)
        ]
        gains = gain(*sums)[:_DISTANCES]
        chosen = sorted(gains.topk(_LARGEST).indices.tolist())
        table = TableOf("q.index - k.index", tuple(chosen), "by distance")
        yield float(gains[chosen].sum()) * _PENALTY, Rule(table=table)

    def _of_texts(self, name: str, token: str, slope: Tensor, spread: Tensor) -> tuple[float, TableOf | None]:
        """The best values of an attribute for slopes and spreads [padded token], and what they gain."""
        ids = self._ids[name]
        real, at = ids >= 0, ids.clamp(min=0)
        sums = [part.new_zeros(self._size).index_add_(0, at, part * real) for part in (slope, spread)]
        gains = gain(*sums) * (self._counts[name] >= _LEAST_TOKENS)
        gains[self._empty] = 0  # a text that no token has, where there is no such token
        best, values = gains.topk(min(_LARGEST, len(gains)))
        kept = best > _LEAST_SHARE * best[0]
        if int(kept.sum()) < 2:
            return 0.0, None
        texts = tuple(sorted(self.values.layout.features.texts[at] for at in values[kept].tolist()))
        return float(best[kept].sum()) * _PENALTY, TableOf(f"{token}.{name}", texts, _NAMES[name])

"""Looks under a condition: heads that a head follows from some queries, or towards some keys, alone.

    if q.is_punct:
        weight *= (look("L3H5", q, k) + 0.002) ** 0.19

Conditions times heads are too many to be tried. So every head is taken as if each query had a power of its
own, and conditions are tried of the heads that would then gain most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.proposers.search.gains import Gain, gain
from core.proposers.search.layout import Layout
from core.proposers.search.part_values import Values
from core.proposers.search.refit import Fields
from core.proposers.search.rule import Rule
from core.types import HeadId

_LEAST_TOKENS = 20  # of train that a condition must hold of
_PROMISING = 96  # heads of which conditions on the query are tried
_MOST_PROMISING = 24  # of which conditions on the key are
_KEPT = 12  # best of each kind


@dataclass(frozen=True)
class _Promise:
    """A head that another may look at."""

    gain: float  # if each query had a power of its own
    head: HeadId
    slope: Tensor  # float32 [padded token], of the row of that query
    spread: Tensor


class ConditionalLooks:
    """The heads that a search may look at, under the conditions of its grammar, on the training sentences."""

    def __init__(self, values: Values, tokens: Tensor, same_layer: bool) -> None:
        """`tokens` are the grammar's conditions on one token, float32 [padded token, part].

        `same_layer`: whether heads may look at those of their own layer.
        """
        self._values, self._tokens, self._same_layer = values, tokens, same_layer
        self._parts = values.grammar.tokens
        self._enough = tokens.sum(0) >= _LEAST_TOKENS

    def rank(self, found: Fields, owners: Sequence[HeadId]) -> Iterator[list[Gain]]:
        """For each head, which `owners` names, looks under a condition with their gains, largest first."""
        for at, promising in enumerate(self._promising(found, owners)):
            gains = [
                *self._from_queries(promising),
                *self._towards_keys(promising[:_MOST_PROMISING], found.weights[at], found.ascent[at]),
            ]
            yield sorted(gains, key=lambda pair: -pair[0])

    def _promising(self, found: Fields, owners: Sequence[HeadId]) -> list[list[_Promise]]:
        laws = self._values.head_laws
        ranked: list[list[_Promise]] = [[] for _ in owners]
        if laws is None or not owners:
            return ranked
        for layer in range(owners[0].layer + self._same_layer):
            logs = laws.layer(layer, 0).float()
            if not len(logs):
                continue
            slopes, spreads = _by_query(self._values.layout, found, logs)
            gains = gain(slopes, spreads).sum(2).tolist()
            for at, owner in enumerate(owners):
                new = [  # copies: a view would hold the whole layer's
                    _Promise(
                        gains[at][head],
                        HeadId(layer, head),
                        slopes[at, head].clone(),
                        spreads[at, head].clone(),
                    )
                    for head in range(len(logs))
                    if HeadId(layer, head) < owner
                ]
                ranked[at] = sorted([*ranked[at], *new], key=lambda one: -one.gain)[:_PROMISING]
        return ranked

    def _from_queries(self, promising: Sequence[_Promise]) -> Iterator[Gain]:
        """The same heads from queries that meet a condition."""
        if promising:
            slopes = torch.stack([one.slope for one in promising])
            spreads = torch.stack([one.spread for one in promising])
            for one, head, part in self._best(slopes, spreads):
                yield one, Rule(look=promising[head].head, query=self._parts[part])

    def _towards_keys(self, promising: Sequence[_Promise], held: Tensor, ascent: Tensor) -> Iterator[Gain]:
        """The same heads towards keys that meet a condition, of weights and ascent [cell]."""
        if promising:
            layout = self._values.layout
            logs = torch.stack([self._values.look(one.head) for one in promising])
            alone = (held - held.square()) * layout.share  # as if keys stood alone
            slopes, spreads = (
                part.new_zeros(len(part), layout.tokens).index_add_(1, layout.key, part)
                for part in (ascent * logs, alone * logs.square())
            )
            for one, head, part in self._best(slopes, spreads):
                yield one, Rule(look=promising[head].head, key=self._parts[part])

    def _best(self, slopes: Tensor, spreads: Tensor) -> Iterator[tuple[float, int, int]]:
        """Gains of slopes and spreads [head, token] under conditions; with places of head and condition."""
        gains = gain(slopes @ self._tokens, spreads @ self._tokens) * self._enough
        best, places = gains.flatten().topk(min(_KEPT, gains.numel()))
        for one, at in zip(best.tolist(), places.tolist(), strict=True):
            if one > 0:
                yield one, *divmod(at, len(self._parts))


def _by_query(layout: Layout, found: Fields, laws: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and spreads of each law [law, cell] in the row of each query: [head, law, padded token]."""
    shape = len(found.weights), len(laws), layout.tokens
    slopes, spreads = laws.new_zeros(shape), laws.new_zeros(shape)
    for block, held in layout.row_views(found.weights):
        values = laws[:, block.cells].view(len(laws), -1, block.keys).permute(1, 2, 0)  # [row, key, law]
        ascent = found.ascent[:, block.cells].view_as(held).transpose(0, 1)  # [row, head, key]
        mean, square = (torch.bmm(held.transpose(0, 1), power) for power in (values, values.square()))
        share = layout.share[block.cells].view(-1, block.keys)[:, 0]
        query = layout.query[block.cells].view(-1, block.keys)[:, 0]
        slopes[:, :, query] = torch.bmm(ascent, values).permute(1, 2, 0)
        spread = (square - mean.square()).clamp(min=0) * share[:, None, None]
        spreads[:, :, query] = spread.permute(1, 2, 0)
    return slopes, spreads

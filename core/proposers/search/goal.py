"""What programs are fitted to: what heads attend to, or what of it they write.

With s_j the length of what a head writes of token j, a row's weights w_j become w_j s_j over their sum. A row
is right in the one measure where it is in the other; what differs is which errors count: a first token that
carries next to nothing no longer drowns the rest. A program's row is a softmax and stays one: log s_j is
added to its logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.proposers.search.layout import Layout

_LEAST = 1e-3  # of a head's mean size: what a token counts for at least

Sizes = Mapping[str, np.ndarray]  # sentence -> a layer's [head, key]


@dataclass(frozen=True)
class Goal:
    """What the rows of H heads should be, and what is added to all logits that are compared with them."""

    targets: Tensor  # float32 [head, row cell]
    bases: Tensor  # float32 [head, row cell]; [head, 1] where nothing is added


def goal_of(layout: Layout, maps: Mapping[str, np.ndarray], sizes: Sizes | None = None) -> Goal:
    """A layer's maps, sentence -> [head, query, key], as a goal; with `sizes` what they write."""
    targets = layout.targets(maps)
    if sizes is None:
        return Goal(targets, targets.new_zeros(len(targets), 1))
    by_token = layout.of_tokens(sizes)
    held = by_token / by_token.sum(1, keepdim=True).clamp(min=1e-30) * (by_token > 0).sum(1, keepdim=True)
    by_cell = held.clamp(min=_LEAST)[:, layout.key]
    return Goal(weighed(layout, targets, by_cell), by_cell.log() * layout.is_real)


def weighed(layout: Layout, rows: Tensor, sizes: Tensor) -> Tensor:
    """Rows [head, cell] times sizes [head, cell], each row made to sum to 1."""
    found = rows * sizes
    for _, part in layout.row_views(found):
        part /= part.sum(-1, keepdim=True).clamp(min=1e-30)
    return found

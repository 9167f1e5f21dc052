"""What other heads give, as laws: a look raised to a power multiplies weights, so logarithms add up.

    weight *= (look("L19H7", q, k) + 0.002) ** 0.44

A head may look at those of earlier layers and at those of its own layer with a lower number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from core.features import Features
from core.proposers.search.layout import Layout
from core.types import HeadId

FLOOR = 0.002  # added to what a head gives: a key that it does not see is not forbidden
_HELD_CELLS = 2**28  # of all layers together, as half precision: 512 MB

Maps = Mapping[str, np.ndarray]  # sentence -> a layer's [head, query, key]


class HeadLaws:
    """Logarithms of what every head gives in the row cells of train and validation, layer by layer."""

    def __init__(self, layouts: Sequence[Layout], read: Callable[[int], Maps]) -> None:
        """`read` gives a layer's maps of all heads, of every sentence of the layouts; {} if it has none."""
        self._layouts = layouts
        self._read = read
        self._layers: OrderedDict[int, list[Tensor]] = OrderedDict()
        self._lock = Lock()

    def layer(self, layer: int, split: int) -> Tensor:
        """float16 [head, row cell] on the sentences of a layout, 0 in padding."""
        with self._lock:
            if layer not in self._layers:
                self._layers[layer] = self.of_maps(self._read(layer))
                while len(self._layers) > 1 and self._cells() > _HELD_CELLS:
                    self._layers.popitem(last=False)
            return self._layers[layer][split]

    def of_maps(self, maps: Maps) -> list[Tensor]:
        """The same of a layer's maps, for every layout; nothing of a layer that has no heads."""
        if not maps:
            return [torch.zeros(0, len(layout.is_real), dtype=torch.half) for layout in self._layouts]
        return [(layout.targets(maps) + FLOOR).log_().mul_(layout.is_real).half() for layout in self._layouts]

    def _cells(self) -> int:
        return sum(part.numel() for parts in self._layers.values() for part in parts)


def looked_at(
    features: Features, heads: Set[HeadId], read: Callable[[int], Maps]
) -> dict[HeadId, list[np.ndarray]]:
    """The maps of some heads as the evaluator looks at them, on the sentences of `features`."""
    layers = {layer: read(layer) for layer in {head.layer for head in heads}}
    return {
        head: [layers[head.layer][sentence][head.head] for sentence in features.sentences] for head in heads
    }


def spread_under(layout: Layout, weights: Tensor, laws: Tensor) -> Tensor:
    """Variance of each law [law, cell] under weights [head, cell], averaged over rows: [head, law]."""
    total = weights.new_zeros(len(weights), len(laws))
    for block, held in layout.row_views(weights):
        law = laws[:, block.cells].view(len(laws), -1, block.keys)
        by_row, values = held.transpose(0, 1), law.permute(1, 2, 0)  # [row, head, key] and [row, key, law]
        mean = torch.bmm(by_row, values)
        square = torch.bmm(by_row, values.square())
        share = layout.share[block.cells].view(-1, block.keys)[:, 0]
        total += torch.einsum("rhl,r->hl", (square - mean.square()).clamp(min=0), share)
    return total

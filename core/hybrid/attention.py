"""The attention function of hybrids, registered with transformers together with its mask.

Without the mask a model would silently see the future. The function runs the architecture's own eager
attention and puts pattern times values in the place of the replaced heads' outputs; whatever else the
architecture does (grouped queries, soft-capping, sinks) is left to its own code. A layer whose heads are
all replaced skips its query-key product.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

IMPLEMENTATION = "headscript"


class Watch(Protocol):
    """Runs the programs of a layer that look at heads, and keeps what the heads give that are looked at."""

    def __call__(
        self,
        weights: Tensor,  # [sentence, replaced head, query, key]
        mix: Tensor | None,
        own: Callable[[], Tensor],  # the weights [sentence, head, query, key] of the layer's own attention
        within: Callable[[Tensor, list[int]], Tensor],  # weights of these heads as the layer takes them
    ) -> tuple[Tensor, Tensor | None]:
        """Weights and mix of all replaced heads."""


@dataclass(frozen=True)
class LayerPatterns:
    """What the replaced heads of a layer attend to in one forward pass."""

    heads: list[int]
    weights: Tensor  # [sentence, replaced head, query, key]; rows sum to 1
    mix: Tensor | None = None  # [sentence, replaced head]: 1 replaced, 0 the head's own; None: all 1
    watch: Watch | None = None  # of a layer with programs that look, or with heads that are looked at


PATTERNS: WeakKeyDictionary[torch.nn.Module, LayerPatterns] = WeakKeyDictionary()


def can_patch(model: Any) -> bool:
    """Whether a model runs its attention through transformers' AttentionInterface."""
    attention = [module for module in model.modules() if hasattr(module, "layer_idx")]
    has_eager = any(hasattr(sys.modules[type(m).__module__], "eager_attention_forward") for m in attention)
    return has_eager and bool(model._can_set_attn_implementation())


def _attention(
    module: torch.nn.Module,
    query: Tensor,  # [sentence, query head, query, dimension]
    key: Tensor,  # [sentence, key-value head, key, dimension]
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention outputs [sentence, query, query head, dimension], and weights where they were computed."""
    eager = sys.modules[type(module).__module__].eager_attention_forward

    @cache
    def own() -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = eager(module, query, key, value, attention_mask, **options)
        return found

    def within(weights: Tensor, heads: list[int]) -> Tensor:
        window = options.get("sliding_window")
        return _within_window(weights.to(value.dtype), attention_mask, window, key.shape[2])

    patterns = PATTERNS.get(module)
    if patterns is None:
        return own()
    weights, mix = within(patterns.weights, patterns.heads), patterns.mix
    if patterns.watch is not None:
        weights, mix = patterns.watch(weights, mix, lambda: own()[1], within)
    if not patterns.heads:
        return own()
    queries_per_value = query.shape[1] // value.shape[1]
    values = value[:, [head // queries_per_value for head in patterns.heads]]
    replaced = (weights @ values).transpose(1, 2)  # [sentence, query, replaced head, dimension]
    if mix is None and len(patterns.heads) == query.shape[1]:
        return replaced.contiguous(), None
    output, own_weights = own()
    if mix is not None:
        before = output[:, :, patterns.heads]
        replaced = before + mix[:, None, :, None].to(value.dtype) * (replaced - before)
    output = output.clone()
    output[:, :, patterns.heads] = replaced
    return output, own_weights


def _within_window(weights: Tensor, attention_mask: Tensor | None, window: int | None, keys: int) -> Tensor:
    """Weights of a layer with a sliding window: nothing beyond it, rows made to sum to what they did.

    `keys` is how many keys are there: the cache of such a layer has let go of those before the window.
    A row that had all its weight beyond the window goes to the first token within.
    """
    if window is None or weights.shape[-1] <= window or attention_mask is None:
        return weights
    seen = attention_mask[..., :keys]
    seen = seen if seen.dtype == torch.bool else seen == 0  # [sentence or 1, 1, query, key]
    inside = weights[..., -keys:] * seen
    total, before = inside.sum(-1, keepdim=True), weights.sum(-1, keepdim=True)
    is_first = seen & (seen.cumsum(-1) == 1)
    scaled = inside * (before / total.clamp(min=torch.finfo(inside.dtype).tiny))
    return torch.where(total > 0, scaled, is_first.to(inside.dtype))


AttentionInterface.register(IMPLEMENTATION, _attention)
AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)

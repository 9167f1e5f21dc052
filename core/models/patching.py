"""Weights in the place of a model's own attention, layer by layer, while it runs.

Two ways, whichever the model takes. An architecture that runs its attention through transformers'
AttentionInterface is given an attention function, registered together with its mask, without which the
model would silently see the future: it runs the architecture's own eager attention and puts weights times
values in the place of the replaced heads' outputs. Of an older one the softmax within each attention module
is caught, and the replaced heads' part of what it gives exchanged. Whatever else the architecture does
(grouped queries, soft-capping, sinks, position biases) is left to its own code. A layer whose heads are all
replaced skips its query-key product where the first way allows it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

IMPLEMENTATION = "headscript"
_SOFTMAX = {torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax}


@dataclass(frozen=True)
class Site:
    """Where a layer's attention is computed; layers that share a module are in the order of its calls."""

    layer: int
    module: torch.nn.Module


class Watch(Protocol):
    """Runs the programs of a layer that look at heads, and keeps what the heads give that are looked at."""

    def __call__(
        self,
        weights: Tensor,  # [sentence, replaced head, query, key]
        mix: Tensor | None,
        own: Callable[[], Tensor],  # the weights [sentence, head, query, key] of the layer's own attention
        taken: Callable[[Tensor, list[int]], Tensor],  # weights of these heads as the layer takes them
    ) -> tuple[Tensor, Tensor | None]:
        """Weights and mix of all replaced heads."""


@dataclass
class LayerPatterns:
    """What the replaced heads of a layer attend to in one forward pass."""

    heads: list[int]
    weights: Tensor  # [sentence, replaced head, query, key]; rows sum to 1
    mix: Tensor | None = None  # [sentence, replaced head]: 1 replaced, 0 the head's own; None: all 1
    keeps_sinks: bool = False  # rows are to sum to what the head's own do
    watch: Watch | None = None  # of a layer with programs that look, or with heads that are looked at
    used: int = field(default=0, init=False)  # times they were put in place


Turns = Iterator[LayerPatterns | None]  # what a module puts in place, call by call
PATTERNS: WeakKeyDictionary[torch.nn.Module, Turns] = WeakKeyDictionary()


def has_interface(model: Any) -> bool:
    """Whether a model runs its attention through transformers' AttentionInterface."""
    attention = [module for module in model.modules() if hasattr(module, "layer_idx")]
    has_eager = any(hasattr(sys.modules[type(m).__module__], "eager_attention_forward") for m in attention)
    return has_eager and bool(model._can_set_attn_implementation())


@contextmanager
def patched(model: Any) -> Iterator[None]:
    """Within the block the model attends to what `attending` says, where it has the interface."""
    if not has_interface(model):
        yield
        return
    before = model.config._attn_implementation
    model.set_attn_implementation(IMPLEMENTATION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def attending(model: Any, sites: Sequence[Site], patterns: Mapping[int, LayerPatterns]) -> Iterator[None]:
    """Forward passes in the block put these patterns, by layer, in the place of the model's own."""
    turns = {
        module: cycle([patterns.get(layer) for layer in layers])
        for module, layers in _layers_of(sites).items()
        if not patterns.keys().isdisjoint(layers)
    }
    if model.config._attn_implementation != IMPLEMENTATION:
        with ExitStack() as stack:
            for module, of_module in turns.items():
                stack.enter_context(_caught(module, of_module))
            yield
        return
    PATTERNS.update(turns)
    try:
        yield
    finally:
        for module in turns:
            PATTERNS.pop(module, None)


def _layers_of(sites: Sequence[Site]) -> dict[torch.nn.Module, list[int]]:
    """The layers that each module computes, in the order of its calls."""
    layers: dict[torch.nn.Module, list[int]] = {}
    for site in sites:
        layers.setdefault(site.module, []).append(site.layer)
    return layers


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
        result: tuple[Tensor, Tensor] = eager(module, query, key, value, attention_mask, **options)
        return result

    turns = PATTERNS.get(module)
    patterns = None if turns is None else next(turns)
    if patterns is None:
        return own()
    patterns.used += 1
    keeps_sinks = patterns.keeps_sinks

    def taken(weights: Tensor, heads: list[int]) -> Tensor:
        # The cache of a layer with a window has let go of the keys before it.
        weights = weights.to(value)[..., -key.shape[2] :]
        return _weighing(weights, own()[1][:, heads]) if keeps_sinks else weights

    weights, mix = taken(patterns.weights, patterns.heads), patterns.mix
    if patterns.watch is not None:
        weights, mix = patterns.watch(weights, mix, lambda: own()[1], taken)
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
        replaced = before + mix[:, None, :, None].to(value) * (replaced - before)
    output[:, :, patterns.heads] = replaced
    return output, own_weights


def _weighing(weights: Tensor, own: Tensor) -> Tensor:
    """Weights whose rows sum to what the head's own do."""
    total = weights.sum(-1, keepdim=True)
    return weights * (own.sum(-1, keepdim=True) / torch.where(total == 0, 1, total))


AttentionInterface.register(IMPLEMENTATION, _attention)
AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)


# Without the interface


class _SoftmaxCaught(TorchFunctionMode):
    """Exchanges the replaced heads' part of what a softmax over keys gives."""

    def __init__(self, patterns: LayerPatterns) -> None:
        super().__init__()
        self._patterns = patterns

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        result = function(*arguments, **(options or {}))
        if function not in _SOFTMAX or not isinstance(result, Tensor):
            return result
        patterns = self._patterns
        sentences, _, queries, keys = patterns.weights.shape
        if result.shape[-2:] != (queries, keys) or result.numel() % (sentences * queries * keys):
            return result
        own = result.reshape(sentences, -1, queries, keys)
        before = own[:, patterns.heads]
        weights, mix = patterns.weights.to(own), patterns.mix
        if patterns.watch is not None:
            weights, mix = patterns.watch(weights, mix, lambda: own, lambda weights, heads: weights.to(own))
        if mix is not None:
            weights = before + mix[:, :, None, None].to(own) * (weights - before)
        whole = own.clone()
        whole[:, patterns.heads] = weights
        patterns.used += 1
        return whole.reshape(result.shape)


@contextmanager
def _caught(module: torch.nn.Module, turns: Turns) -> Iterator[None]:
    """Softmaxes within the module give these patterns, call by call."""
    forward = module.forward

    def caught(*arguments: Any, **options: Any) -> Any:
        patterns = next(turns)
        if patterns is None:
            return forward(*arguments, **options)
        with _SoftmaxCaught(patterns):
            return forward(*arguments, **options)

    module.forward = caught
    try:
        yield
    finally:
        del module.forward

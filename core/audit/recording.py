"""What a model's heads attend to and what they would write of each token: one forward pass for all heads.

A head writes o_i = sum_j A_ij z_j with z_j = V_j W_O of the head. Norms and inner products of what is written
need only z z^T, so z is kept as coordinates of the head's own size: with W_O = Q R, z_j has the same
inner products as R V_j.

With gradients, the pass also gives the slope of any target in each cell of attention: from it the cost of any
pattern in a head's place is estimated without another pass.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from core.errors import AuditError
from core.features import Features
from core.language import Looks
from core.models.attention import padded_ids, without_cache
from core.models.patching import has_interface
from core.models.pretrained import LoadedModel
from core.types import HeadId

IMPLEMENTATION = "headscript-recording"


class _Recorded(Mapping[HeadId, Tensor]):
    """Each head's maps [sentence, query, key], padded."""

    def __init__(self, attention: Mapping[int, Tensor]) -> None:
        self._attention = attention

    def __getitem__(self, head: HeadId) -> Tensor:
        return self._attention[head.layer][:, head.head].detach()

    def __iter__(self) -> Iterator[HeadId]:
        return (HeadId(layer, h) for layer, maps in self._attention.items() for h in range(maps.shape[1]))

    def __len__(self) -> int:
        return sum(maps.shape[1] for maps in self._attention.values())


@dataclass
class Recorder:
    """A model whose passes are recorded; valid inside the `with` block that made it."""

    loaded: LoadedModel
    wants_slope: bool = False
    attention: dict[int, Tensor] = field(default_factory=dict)  # layer -> [sentence, head, query, key]
    values: dict[int, Tensor] = field(default_factory=dict)  # layer -> [sentence, head, key, dimension]
    outputs: dict[int, Tensor] = field(default_factory=dict)  # layer -> [sentence, query, head, dimension]
    _calls: dict[torch.nn.Module, Iterator[int]] = field(default_factory=dict)

    def forward(self, features: Features, rows: Sequence[int]) -> Tensor:
        """Logits [sentence, token, vocabulary] of a causal model, final states of an encoder; padded."""
        self.attention, self.values, self.outputs = {}, {}, {}
        self._calls = {module: iter(layers) for module, layers in self._layers.items()}
        ids, mask = padded_ids(features, rows, self.loaded.device)
        model = self.loaded.model if self.loaded.info.is_causal else self.loaded.model.base_model
        with torch.set_grad_enabled(self.wants_slope):
            output = model(input_ids=ids, attention_mask=mask, **without_cache(self.loaded))
        found: Tensor = output.logits if "logits" in output else output.last_hidden_state
        return found

    def written(self, layer: int, projections: Tensor) -> Tensor:
        """What each head of a layer would write of each token, [sentence, head, key, dimension].

        `projections` [head, dimension, dimension] are the layer's, as `projections` gives them.
        """
        return self.values[layer].float() @ projections.transpose(1, 2)

    @property
    def looks(self) -> Looks:
        """What the heads attend to on the passages read last, for programs that look at them."""
        return _Recorded(self.attention)

    @cached_property
    def _layers(self) -> dict[torch.nn.Module, list[int]]:
        """The layers that each module computes, in the order of its calls."""
        layers: dict[torch.nn.Module, list[int]] = {}
        for site in self.loaded.sites:
            layers.setdefault(site.module, []).append(site.layer)
        return layers

    def _take(self, module: torch.nn.Module, weights: Tensor, value: Tensor, output: Tensor) -> None:
        layer = next(self._calls[module])
        groups = torch.arange(weights.shape[1]) // (weights.shape[1] // value.shape[1])
        self.attention[layer] = weights
        self.values[layer] = value.detach()[:, groups.to(value.device)]
        self.outputs[layer] = output.detach()


_RECORDERS: WeakKeyDictionary[torch.nn.Module, Recorder] = WeakKeyDictionary()


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """The architecture's own eager attention, overheard."""
    recorder = _RECORDERS.get(module)
    if recorder is not None and recorder.wants_slope and not query.requires_grad:
        query = query.detach().requires_grad_()
    eager = sys.modules[type(module).__module__].eager_attention_forward
    output, weights = eager(module, query, key, value, attention_mask, **options)
    if recorder is not None:
        recorder._take(module, weights, value, output)
    return output, weights


AttentionInterface.register(IMPLEMENTATION, _attention)
AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)


@contextmanager
def recording(loaded: LoadedModel, wants_slope: bool = False) -> Iterator[Recorder]:
    """`loaded` with its passes recorded; restored when the block ends, also by an exception.

    Raises AuditError if the architecture's attention cannot be overheard.
    """
    if not has_interface(loaded.model):
        raise AuditError(
            f"{type(loaded.model).__name__} does not run its attention through transformers' "
            "AttentionInterface, so values and gradients of its heads cannot be read; `audit coverage` works"
        )
    recorder = Recorder(loaded, wants_slope)
    modules = list(recorder._layers)
    before = loaded.model.config._attn_implementation
    outer = {module: _RECORDERS[module] for module in modules if module in _RECORDERS}
    loaded.model.set_attn_implementation(IMPLEMENTATION)
    _RECORDERS.update(dict.fromkeys(modules, recorder))
    try:
        yield recorder
    finally:
        for module in modules:
            _RECORDERS.pop(module, None)
        _RECORDERS.update(outer)
        loaded.model.set_attn_implementation(before)


def projections(loaded: LoadedModel, features: Features) -> dict[int, Tensor]:
    """R [head, dimension, dimension] of each layer's output projection; layers without are left out.

    The projection is the module that is handed what attention put out, as it is: a layer that norms or gates
    before it has none.
    """
    given: list[tuple[Any, Tensor]] = []
    found: dict[int, Tensor] = {}
    linear = [m for m in loaded.model.modules() if getattr(getattr(m, "weight", None), "ndim", 0) == 2]
    hooks = [m.register_forward_pre_hook(lambda m, inputs: given.append((m, inputs[0]))) for m in linear]
    shortest = int(features.lengths.argmin())
    try:
        with recording(loaded) as recorder:
            recorder.forward(features, [shortest])
            for layer, output in recorder.outputs.items():
                flat = output.flatten(-2)
                for module, taken in given:
                    if taken.shape == flat.shape and torch.equal(taken, flat):
                        found[layer] = _small(_rows_in(module, flat.shape[-1]), output.shape[2])
                        break
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _rows_in(module: Any, size: int) -> Tensor:
    """A projection's weight as [input, output], whichever way its module keeps it; raises AuditError."""
    if module.weight.is_meta:
        raise AuditError(
            "what heads write is read off weights that are in memory, but the device map leaves some to be "
            "fetched when they are used; give one that holds all of them, or leave this audit out"
        )
    weight: Tensor = module.weight.detach().float()
    is_linear = isinstance(module, torch.nn.Linear)
    return weight.T if is_linear or weight.shape[0] != size else weight


def _small(weight: Tensor, heads: int) -> Tensor:
    """R of each head's part of a projection [input, output]."""
    parts = weight.reshape(heads, -1, weight.shape[-1])  # [head, dimension, output]
    found: Tensor = torch.linalg.qr(parts.transpose(1, 2)).R
    return found

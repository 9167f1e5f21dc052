"""A hybrid model: programs in the place of heads, for as long as a `with` block lasts.

The model is switched to an attention function of our own, registered with transformers together with
its mask (without the mask the model would silently see the future). That function runs the
architecture's own eager attention, then overwrites the output of the replaced heads with program
weights times values; whatever the architecture does besides (grouped queries, sliding windows,
soft-capping) is left to its own code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from core.errors import HybridError
from core.extract import padded_ids, without_cache
from core.features import Features
from core.language import Evaluator, ParsedProgram, parse
from core.models import LoadedModel
from core.types import HeadId, HybridSpec

IMPLEMENTATION = "headscript"


@dataclass
class _LayerPlan:
    """What to do in one layer during the current forward pass."""

    heads: list[int]
    weights: torch.Tensor | None = None  # [sentence, replaced head, query, key]; None: leave the layer alone
    keep: torch.Tensor | None = (
        None  # bool [sentence, replaced head]: the program failed, keep the head's own
    )


_PLANS: WeakKeyDictionary[torch.nn.Module, _LayerPlan] = WeakKeyDictionary()


@dataclass
class Hybrid:
    """A patched model; valid inside the `with hybrid(...)` block that made it."""

    loaded: LoadedModel
    programs: dict[HeadId, ParsedProgram]
    plans: dict[int, _LayerPlan] = field(default_factory=dict)
    failures: int = 0  # (head, sentence) pairs so far that kept the head's own attention

    def logits(self, features: Features, rows: Sequence[int], replaced: bool = True) -> torch.Tensor:
        """Logits [sentence, token, vocabulary] of sentences `rows`, padded on the right.

        `replaced=False` gives the unmodified model's, under the same patch.
        """
        ids, mask = padded_ids(features, rows, self.loaded.device)
        if replaced:
            self._prepare(features.select(rows))
        try:
            with torch.inference_mode():
                output = self.loaded.model(input_ids=ids, attention_mask=mask, **without_cache(self.loaded))
        finally:
            for plan in self.plans.values():
                plan.weights = plan.keep = None
        found: torch.Tensor = output.logits if "logits" in output else output.last_hidden_state
        return found

    def _prepare(self, features: Features) -> None:
        """Evaluate every distinct program once and hand each layer its weights."""
        evaluator = Evaluator(features, self.loaded.info.is_causal, str(self.loaded.device))
        produced = {program.id: evaluator.run(program) for program in set(self.programs.values())}
        for layer, plan in self.plans.items():
            results = [produced[self.programs[HeadId(layer, head)].id] for head in plan.heads]
            plan.weights = torch.stack([result.weights for result in results], dim=1)
            plan.keep = torch.zeros(plan.weights.shape[:2], dtype=torch.bool)
            for at, result in enumerate(results):
                plan.keep[list(result.failures), at] = True
                self.failures += len(result.failures)
            plan.keep = plan.keep.to(self.loaded.device)


@contextmanager
def hybrid(loaded: LoadedModel, spec: HybridSpec) -> Iterator[Hybrid]:
    """`loaded` with the heads of `spec` replaced; restored when the block ends, also by an exception.

    Raises HybridError before any work if the spec does not fit the model, ProgramError if a program
    does not parse.
    """
    programs = _check(loaded, spec)
    plans: dict[int, _LayerPlan] = {}
    for head in sorted(programs):
        plans.setdefault(head.layer, _LayerPlan([])).heads.append(head.head)
    modules = [module for module in loaded.model.modules() if getattr(module, "layer_idx", None) in plans]
    before = loaded.model.config._attn_implementation
    loaded.model.set_attn_implementation(IMPLEMENTATION)
    _PLANS.update({module: plans[module.layer_idx] for module in modules})
    try:
        yield Hybrid(loaded, programs, plans)
    finally:
        for module in modules:
            _PLANS.pop(module, None)
        loaded.model.set_attn_implementation(before)


def _check(loaded: LoadedModel, spec: HybridSpec) -> dict[HeadId, ParsedProgram]:
    info = loaded.info
    if spec.model != info.id:
        raise HybridError(f"this hybrid is for the model {spec.model}, not for {info.id}")
    if not _can_patch(loaded.model):
        raise HybridError(
            f"{type(loaded.model).__name__} does not use transformers' AttentionInterface, "
            "so its heads cannot be replaced"
        )
    heads = [head for head, _ in spec.programs]
    for head in heads:
        if head.layer not in range(info.layers) or head.head not in range(info.heads):
            raise HybridError(
                f"{head} does not exist: {info.name} has {info.layers} layers of {info.heads} heads"
            )
        if heads.count(head) > 1:
            raise HybridError(f"{head} is replaced twice; name each head once")
    parsed = {source: parse(source) for source in {source for _, source in spec.programs}}
    return {head: parsed[source] for head, source in spec.programs}


def _can_patch(model: Any) -> bool:
    attention = [module for module in model.modules() if hasattr(module, "layer_idx")]
    has_eager = any(hasattr(sys.modules[type(m).__module__], "eager_attention_forward") for m in attention)
    return has_eager and bool(model._can_set_attn_implementation())


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,  # [sentence, query head, query, dimension]
    key: torch.Tensor,  # [sentence, key-value head, key, dimension]
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The architecture's eager attention, with the planned heads' outputs overwritten."""
    eager = sys.modules[type(module).__module__].eager_attention_forward
    output, weights = eager(module, query, key, value, attention_mask, **options)
    plan = _PLANS.get(module)
    if plan is None or plan.weights is None or plan.keep is None:
        return output, weights
    queries_per_value = query.shape[1] // value.shape[1]
    values = value[:, [head // queries_per_value for head in plan.heads]]
    chosen = torch.where(plan.keep[:, :, None, None], weights[:, plan.heads], plan.weights.to(weights.dtype))
    output = output.clone()  # [sentence, query, query head, dimension]
    output[:, :, plan.heads] = (chosen.to(values.dtype) @ values).transpose(1, 2)
    return output, weights


AttentionInterface.register(IMPLEMENTATION, _attention)
AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)

"""A forward pass in which programs look at heads: layer by layer, at what is there in this very pass.

A reference reads the program where that head is replaced and the head's own attention where it is not, also
sentence by sentence. Only heads that are looked at are kept, until the pass has ended; of a growing text, as
long as it grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from core.hybrid.looking import Run
from core.hybrid.sources import HeadMaps, padded_to
from core.maps import confined
from core.models.patching import LayerPatterns
from core.types import HeadId, ModelInfo


@dataclass
class Pass:
    """A forward pass that attends to patterns, and what was seen in it."""

    info: ModelInfo
    patterns: HeadMaps
    seen: dict[HeadId, Tensor]  # of heads that are looked at: [sentence, query, key], rows as they come
    watched: frozenset[HeadId] = frozenset()  # heads to keep that no program of the pass looks at
    failures: dict[HeadId, list[int]] = field(default_factory=dict)  # sentences on which a program failed

    def __post_init__(self) -> None:
        looking = self.patterns.looking
        self.runs = frozenset[HeadId]() if looking is None else frozenset(looking.programs)
        self.watched |= frozenset() if looking is None else looking.watched

    def layers(self) -> dict[int, LayerPatterns]:
        """What happens in each layer that is not left alone."""
        places: dict[int, list[int]] = {head.layer: [] for head in sorted(self.watched)}
        for at, head in enumerate(self.patterns.heads):
            places.setdefault(head.layer, []).append(at)
        return {layer: self._layer(layer, chosen) for layer, chosen in places.items()}

    def _layer(self, layer: int, chosen: Sequence[int]) -> LayerPatterns:
        mix = self.patterns.mix
        heads = [self.patterns.heads[at] for at in chosen]
        touched = sorted(head for head in self.watched | self.runs if head.layer == layer)
        return LayerPatterns(
            [head.head for head in heads],
            self._confined(layer, _of(self.patterns.weights, chosen)),
            None if mix is None else mix[:, chosen],
            layer in self.info.traits.sinks,
            _Watch(self, heads, touched) if touched else None,
        )

    def _confined(self, layer: int, weights: Tensor) -> Tensor:
        """Weights [sentence, head, query, key] within the layer's window."""
        return confined(weights, self.info.window(layer), self.info.is_causal)

    def failed(self) -> Tensor:
        """Where programs that look failed: bool [sentence, replaced head], on the CPU."""
        found = torch.zeros(self.patterns.weights.shape[:2], dtype=torch.bool)
        for at, head in enumerate(self.patterns.heads):
            found[self.failures.get(head, []), at] = True
        return found

    @cached_property
    def _run(self) -> Run:
        assert self.patterns.looking is not None
        return self.patterns.looking.start(self.seen)

    def run(self, head: HeadId, is_idle: bool) -> Tensor:
        """What a program that looks gives: [sentence, query, key]; without a gradient where it is idle."""
        assert self.patterns.looking is not None
        with torch.set_grad_enabled(torch.is_grad_enabled() and not is_idle):
            found = self.patterns.looking.run(self._run, head, self.seen)
        self.failures[head] = list(found.failures)
        weights = padded_to(found.weights, self.patterns.weights.shape[-1])
        return self._confined(head.layer, weights[:, None])[:, 0]

    def keep(self, head: HeadId, rows: Tensor) -> None:
        """Put what a head gives the newest queries [sentence, query, key] below what it gave those before.

        A layer with a sliding window may have let go of the oldest keys.
        """
        before = self.seen.get(head)
        if before is None and rows.shape[1] == rows.shape[2]:
            self.seen[head] = rows
            return
        before = rows[:, :0] if before is None else before
        count = before.shape[1] + rows.shape[1]
        above = functional.pad(before, (0, count - before.shape[2]))
        self.seen[head] = torch.cat([above, functional.pad(rows, (count - rows.shape[2], 0))], 1)


@dataclass
class _Watch:
    """One layer of a pass; a core.models.patching.Watch."""

    passing: Pass
    replaced: Sequence[HeadId]
    touched: Sequence[HeadId]  # heads that are looked at or whose programs look, in order

    def __call__(
        self,
        weights: Tensor,
        mix: Tensor | None,
        own: Callable[[], Tensor],
        taken: Callable[[Tensor, list[int]], Tensor],
    ) -> tuple[Tensor, Tensor | None]:
        shown = dict(zip(self.replaced, weights.unbind(1), strict=True))
        mixes = {} if mix is None else dict(zip(self.replaced, mix.unbind(1), strict=True))
        for head in self.touched:
            if head in self.passing.runs:
                is_idle = head in mixes and not bool(mixes[head].any())
                rows = self.passing.run(head, is_idle)[:, None, -weights.shape[2] :]
                shown[head] = taken(rows, [head.head])[:, 0]
                if failed := self.passing.failures[head]:
                    ran = torch.ones(len(weights), device=weights.device)
                    ran[failed] = 0
                    mixes[head] = mixes.get(head, 1) * ran
            if head in self.passing.watched and (there := self._there(head, shown, mixes, own)) is not None:
                self.passing.keep(head, there)
        every = torch.ones(len(weights), device=weights.device)
        if not self.replaced:
            return weights, mix
        return (
            torch.stack([shown[head] for head in self.replaced], 1),
            torch.stack([mixes.get(head, every) for head in self.replaced], 1) if mixes else None,
        )

    def _there(
        self,
        head: HeadId,
        shown: dict[HeadId, Tensor],
        mixes: dict[HeadId, Tensor],
        own: Callable[[], Tensor],
    ) -> Tensor | None:
        """What a head gives in this pass: [sentence, query, key]; None if there is no such head.

        It holds on to nothing else of the layer's.
        """
        if head not in shown:
            return own()[:, head.head].clone() if head.head < own().shape[1] else None
        if head not in mixes or (not mixes[head].requires_grad and bool((mixes[head] == 1).all())):
            return shown[head] if head in self.passing.runs else shown[head].clone()
        before = own()[:, head.head]
        return before + mixes[head][:, None, None].to(before.dtype) * (shown[head] - before)


def _of(maps: Tensor, places: Sequence[int]) -> Tensor:
    """Maps [sentence, place, query, key] of these heads; not copied where they are next to each other."""
    if places and list(places) == list(range(places[0], places[-1] + 1)):
        return maps[:, places[0] : places[-1] + 1]
    return maps[:, places]

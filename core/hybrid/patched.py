"""A hybrid model: patterns in the place of heads, for as long as a `with` block lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import HybridError
from core.features import Features
from core.hybrid.sources import HeadMaps, PatternSource, ProgramPatterns
from core.language import ParsedProgram, parse
from core.maps import confined
from core.models import patching
from core.models.attention import padded_ids, without_cache
from core.models.patching import LayerPatterns
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec, ModelInfo


@dataclass
class Hybrid:
    """A patched model; valid inside the `with` block that made it."""

    loaded: LoadedModel
    source: PatternSource
    failures: int = 0  # (head, sentence) pairs so far that kept the head's own attention

    def logits(self, features: Features, rows: Sequence[int], replaced: bool = True) -> Tensor:
        """Logits [sentence, token, vocabulary] of sentences `rows`, padded on the right.

        `replaced=False` gives the unmodified model's, under the same patch.
        """
        with torch.inference_mode():
            if not replaced:
                return self.forward(features, rows, None)
            found = self.source.patterns(features.select(rows))
            self.failures += found.failures
            return self.forward(features, rows, found)

    def forward(self, features: Features, rows: Sequence[int], patterns: HeadMaps | None) -> Tensor:
        """The same with these patterns, differentiable in their weights and mix."""
        ids, mask = padded_ids(features, rows, self.loaded.device)
        with self.attending(patterns):
            output = self.loaded.model(input_ids=ids, attention_mask=mask, **without_cache(self.loaded))
        found: Tensor = output.logits if "logits" in output else output.last_hidden_state
        return found

    @contextmanager
    def attending(self, patterns: HeadMaps | None) -> Iterator[None]:
        """Forward passes in the block attend to these patterns."""
        chosen = {} if patterns is None else by_layer(patterns, self.loaded.info)
        with patching.attending(self.loaded.model, self.loaded.sites, chosen):
            yield


def by_layer(patterns: HeadMaps, info: ModelInfo) -> dict[int, LayerPatterns]:
    """The patterns of each layer's heads, within its window."""
    places: dict[int, list[int]] = {}
    for at, head in enumerate(patterns.heads):
        places.setdefault(head.layer, []).append(at)
    return {
        layer: LayerPatterns(
            [patterns.heads[place].head for place in chosen],
            confined(patterns.weights[:, chosen], info.window(layer), info.is_causal),
            None if patterns.mix is None else patterns.mix[:, chosen],
            layer in info.traits.sinks,
        )
        for layer, chosen in places.items()
    }


@contextmanager
def hybrid(loaded: LoadedModel, spec: HybridSpec) -> Iterator[Hybrid]:
    """`loaded` with the heads of `spec` replaced; restored when the block ends, also by an exception.

    Raises HybridError before any work if the spec does not fit the model, ProgramError if a program
    does not parse.
    """
    programs = parsed(loaded.info, spec)
    with replaced(loaded, ProgramPatterns(programs, loaded.info.is_causal, loaded.device)) as patched:
        yield patched


@contextmanager
def replaced(loaded: LoadedModel, source: PatternSource) -> Iterator[Hybrid]:
    """`loaded` with heads replaced by the patterns of any source; restored when the block ends."""
    require_patchable(loaded)
    with patching.patched(loaded.model):
        yield Hybrid(loaded, source)


def require_patchable(loaded: LoadedModel) -> None:
    """Raises HybridError if the model's attention cannot be replaced."""
    reason = loaded.info.traits.attention_only
    if reason:
        raise HybridError(f"the heads of {loaded.info.name} cannot be replaced: {reason}")


def parsed(info: ModelInfo, spec: HybridSpec) -> dict[HeadId, ParsedProgram]:
    """The programs of a spec; raises HybridError if it does not fit the model."""
    if spec.model != info.id:
        raise HybridError(f"this hybrid is for the model {spec.model}, not for {info.id}")
    heads = [head for head, _ in spec.programs]
    for head in heads:
        if head.layer not in info.attention_layers or head.head not in range(info.heads):
            raise HybridError(
                f"{head} does not exist: {info.name} has {info.layers} layers of {info.heads} heads"
            )
        if heads.count(head) > 1:
            raise HybridError(f"{head} is replaced twice; name each head once")
    programs = {source: parse(source) for source in {source for _, source in spec.programs}}
    return {head: programs[source] for head, source in spec.programs}

"""A model's attention on sentences, as a stream: one sentence's maps at a time, never the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from core.features import Features
from core.maps import like_batches
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.models.probe import cacheless
from core.types import SentenceAttention

BATCH_TOKENS = 512  # padded tokens in a forward pass; more gains nothing on a CPU
MAP_BUDGET = 2**28  # elements of attention that one batch may hold, over all layers


def extract(
    loaded: LoadedModel,
    features: Features,
    rows: Sequence[int],
    batch_tokens: int = BATCH_TOKENS,
    halving: Halving | None = None,
) -> Iterator[SentenceAttention]:
    """The attention of sentences `rows` of `features`, shortest first.

    Sentences of like length share a forward pass, padded on the right; `halving` makes batches smaller where
    memory runs out.
    """
    halving = halving or Halving()
    heads = len(loaded.info.head_ids())

    def maps_of(batch: Sequence[int]) -> np.ndarray:
        layers: list[np.ndarray] = []
        read_layers(loaded, features, batch, layers.append)
        return np.stack(layers, axis=1)

    def width(batch: Sequence[int]) -> int:
        return padded_tokens(features.lengths, batch)

    for batch in like_batches(features.lengths, rows, batch_tokens, MAP_BUDGET // heads):
        for part, maps in halving.run(batch, maps_of, width):
            yield from _unpadded(features, part, maps)


def read_layers(
    loaded: LoadedModel, features: Features, rows: Sequence[int], take: Callable[[np.ndarray], None]
) -> None:
    """One forward pass over sentences `rows`; `take` is handed each layer's maps as the pass reaches it.

    A layer's maps are float16 [sentence, head, query, key], padded; layers without heads, and those that are
    not to be extracted, are passed over, and the pass ends with the last that is. Where the modules of a
    model hand out their maps unasked, no two layers' are held at once.
    """
    ids, mask = padded_ids(features, rows, loaded.device)
    model, taken, wanted = loaded.model.base_model, 0, set(loaded.info.attention_layers)
    needed = max((at for at, site in enumerate(loaded.sites, start=1) if site.layer in wanted), default=0)

    def caught(module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        nonlocal taken
        at = _maps_in(output, ids)
        if at is None:
            return output
        if taken == len(loaded.sites) or module is not loaded.sites[taken].module:
            raise RuntimeError(f"layers gave their attention in another order than expected, {taken} in")
        if loaded.sites[taken].layer in wanted:
            take(output[at].half().cpu().numpy())
        taken += 1
        if needed <= taken < len(loaded.sites):
            raise _AllTaken
        return (*output[:at], None, *output[at + 1 :])

    hooks = [one.register_forward_hook(caught) for one in {site.module for site in loaded.sites}]
    try:
        # Without the language-modelling head, on which a small model spends a fifth of its time.
        with torch.inference_mode(), suppress(_AllTaken):
            model(input_ids=ids, attention_mask=mask, **cacheless(model))
    finally:
        for hook in hooks:
            hook.remove()
    if taken:
        if taken < needed:
            raise RuntimeError(f"{taken} of {len(loaded.sites)} layers gave their attention")
        return
    with torch.inference_mode():
        output = model(input_ids=ids, attention_mask=mask, output_attentions=True, **cacheless(model))
    maps = [one for one in output.attentions if isinstance(one, torch.Tensor)]
    for site, one in zip(loaded.sites, maps, strict=True):
        if site.layer in wanted:
            take(one.half().cpu().numpy())


class _AllTaken(Exception):
    """What is left of a pass is not needed."""


def _maps_in(output: Any, ids: torch.Tensor) -> int | None:
    """Where in a module's output attention maps of this batch are; None if nowhere."""
    sentences, n = ids.shape
    for at, part in enumerate(output if isinstance(output, tuple) else ()):
        if isinstance(part, torch.Tensor) and (part.shape[:1], part.shape[2:]) == ((sentences,), (n, n)):
            return at
    return None


def padded_tokens(lengths: np.ndarray, rows: Sequence[int]) -> int:
    """How many tokens a batch of these rows has with its padding."""
    return len(rows) * max(int(lengths[row]) for row in rows)


def padded_ids(
    features: Features, rows: Sequence[int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both int64 [sentence, token], padded on the right with token 0."""
    width = max(int(features.lengths[row]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        tokens = torch.from_numpy(features.token_ids[features.span(row)].astype(np.int64))
        ids[at, : len(tokens)] = tokens
        mask[at, : len(tokens)] = 1
    return ids.to(device), mask.to(device)


def without_cache(loaded: LoadedModel) -> dict[str, bool]:
    """The argument that keeps a causal model from storing keys and values; encoders take none."""
    return cacheless(loaded.model)


def _unpadded(features: Features, rows: Sequence[int], maps: np.ndarray) -> Iterator[SentenceAttention]:
    for at, row in enumerate(rows):
        n = int(features.lengths[row])
        yield SentenceAttention(features.sentences[row], maps[at, :, :, :n, :n])

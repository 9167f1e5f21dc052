"""What each head costs when its program alone replaces it: measured, and estimated from gradients.

Cost is KL(unmodified || hybrid), which is the loss added on average over the tokens the model itself
expects: of the loss added on the tokens of the text it has the mean, without most of the noise. Of an encoder
that predicts nothing it is the cosine distance of its final states.

Measured: one forward pass for every head. Heads of a layer share the layers before it, which run once,
and go through the layers from theirs on as one batch.

Estimated: every head's output o moves towards its program's p by mix * (p - o). In the unmodified model
mix is 0 and KL has no first-order term; its second-order term is half the variance of the score, the
gradient in mix of the log likelihood of tokens that the model itself draws (the Fisher information along
p - o). One backward pass a draw gives it for all heads at once. Where some heads are replaced already,
their mix is 1, and the slope of KL is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from core.features import Features
from core.hybrid import HeadMaps, Hybrid, PatternSource, replaced
from core.hybrid.layers import decoder_layers, recording, resumed
from core.hybrid.perplexity import Tell
from core.hybrid.predicted import asked, predicted, predictions
from core.maps import like_batches
from core.models.attention import padded_tokens
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.types import HeadId

_PREFIX_TOKENS = 96  # of a batch of passages; each goes on once for every head of a layer
_GRADIENT_TOKENS = 384
_VOCABULARY_ROWS = 512  # predictions compared at once


@dataclass(frozen=True)
class Costs:
    """What heads cost alone, on passages."""

    heads: tuple[HeadId, ...]
    tokens: np.ndarray  # int64 [passage]: predicted tokens, or final states
    loss: np.ndarray  # float32 [passage, head]: nats added to the passage's summed loss
    kl: np.ndarray  # float32 [passage, head]: summed KL(unmodified || replaced), nats
    ran: np.ndarray  # bool [passage, head]: False where the program failed, which adds nothing


def measured_costs(
    loaded: LoadedModel,
    source: PatternSource,
    features: Features,
    rows: Sequence[int],
    tell: Tell = lambda done, total: None,
    halving: Halving | None = None,
) -> Costs:
    """The costs of every head of `source` on passages `rows`, each replaced alone."""
    layers = decoder_layers(loaded)
    features = asked(loaded, features)
    with replaced(loaded, source) as patched, torch.inference_mode():

        def work(batch: Sequence[int]) -> np.ndarray:
            patterns = source.patterns(features.select(batch))
            return _batch_costs(patched, layers, patterns, features, batch)

        found = _over(features, rows, _PREFIX_TOKENS, work, tell, halving)
    tokens = predictions(loaded, features)[list(rows)]
    return Costs(tuple(source.heads), tokens, found[0], found[1], found[2] != 0)


def _over(
    features: Features,
    rows: Sequence[int],
    batch_tokens: int,
    work: Callable[[Sequence[int]], np.ndarray],
    tell: Tell,
    halving: Halving | None,
) -> np.ndarray:
    """What `work` gives [value, passage, head] for batches, with passages in the order of `rows`."""
    halving = halving or Halving()
    order: list[int] = []
    parts = []
    for batch in like_batches(features.lengths, rows, batch_tokens):
        for part, found in halving.run(batch, work, lambda part: padded_tokens(features.lengths, part)):
            parts.append(found)
            order += part
            tell(len(order), len(rows))
    place = {row: at for at, row in enumerate(order)}
    joined: np.ndarray = np.concatenate(parts, axis=1)[:, [place[row] for row in rows]]
    return joined


def _batch_costs(
    patched: Hybrid, layers: Sequence[Any], patterns: HeadMaps, features: Features, batch: Sequence[int]
) -> np.ndarray:
    """float32 [loss, KL or whether the program ran, passage, head]."""
    tokens = predicted(patched.loaded, features, batch)
    outputs: list[Any] = []
    watched = frozenset[HeadId]() if patterns.looking is None else patterns.looking.watched
    with recording(layers, outputs):
        passed = patched.passed(features, batch, None, watched)
    base = tokens.read(passed.logits)
    patterns = patterns.reading(passed.seen)  # a program alone in the model reads the model's own attention
    base_losses = tokens.losses(base)
    found = np.zeros((3, len(batch), len(patterns.heads)), np.float32)
    found[2] = patterns.ran.numpy()
    passages = torch.from_numpy(tokens.batch_rows)
    for layer in sorted({head.layer for head in patterns.heads}):
        at = [place for place, head in enumerate(patterns.heads) if head.layer == layer]
        with resumed(layers[:layer], outputs[layer - 1] if layer else None, len(at)):
            logits = patched.forward(features, list(batch) * len(at), _one_each(patterns, at))
        for variant, place in enumerate(at):
            changed = tokens.read(logits[variant * len(batch) : (variant + 1) * len(batch)])
            for which, values in enumerate(
                (tokens.losses(changed) - base_losses, tokens.distance(base, changed))
            ):
                sums = torch.zeros(len(batch)).index_add_(0, passages, values.cpu())
                found[which, :, place] = sums.numpy()
    return found


def _one_each(patterns: HeadMaps, at: Sequence[int]) -> HeadMaps:
    """The batch once for every one of these heads, in which that head alone is replaced."""
    count, sentences = len(at), len(patterns.weights)
    alone = torch.eye(count, device=patterns.weights.device).repeat_interleave(sentences, 0)
    if patterns.mix is not None:
        alone = alone * patterns.mix[:, at].repeat(count, 1)
    weights = patterns.weights[:, at].repeat(count, 1, 1, 1)
    return HeadMaps([patterns.heads[place] for place in at], weights, alone)


@dataclass(frozen=True)
class Scores:
    """Gradients in every head's mix, from which the costs of heads are estimated."""

    heads: tuple[HeadId, ...]
    tokens: np.ndarray  # int64 [passage]: predicted tokens, or final states
    slope: np.ndarray  # float32 [passage, head]: gradient of summed KL, 0 while no head is replaced
    drawn: np.ndarray  # float32 [draw, passage, head]: gradient of the log-likelihood of drawn tokens
    ran: np.ndarray  # bool [passage, head]: False where the program failed, which adds nothing


def scores(
    loaded: LoadedModel,
    source: PatternSource,
    features: Features,
    rows: Sequence[int],
    taken: frozenset[HeadId] = frozenset(),
    draws: int = 2,
    seed: int = 0,
    tell: Tell = lambda done, total: None,
    halving: Halving | None = None,
) -> Scores:
    """Gradients on passages `rows`, where the heads of `taken` are replaced already.

    What is drawn depends on the seed and the batch alone, not on who works on others of `score_batches`.
    """
    features = asked(loaded, features)
    with replaced(loaded, source) as patched:

        def work(batch: Sequence[int]) -> np.ndarray:
            patterns = source.patterns(features.select(batch))
            generator = torch.Generator().manual_seed(_seed_of(seed, batch))
            return _batch_scores(patched, patterns, features, batch, taken, draws, generator)

        found = _over(features, rows, _GRADIENT_TOKENS, work, tell, halving)
    tokens = predictions(loaded, features)[list(rows)]
    return Scores(tuple(source.heads), tokens, found[1], found[2:], found[0] != 0)


def _seed_of(seed: int, batch: Sequence[int]) -> int:
    return int(np.random.SeedSequence([seed, *batch]).generate_state(1)[0])


def score_batches(features: Features, rows: Sequence[int]) -> list[list[int]]:
    """Rows in the batches that `scores` takes; of one alone it gives the same, for `joined` to join."""
    return list(like_batches(features.lengths, rows, _GRADIENT_TOKENS))


def joined(parts: Sequence[tuple[Sequence[int], Scores]], rows: Sequence[int]) -> Scores:
    """Scores of batches as those of `rows`, in their order."""
    place = {row: at for at, row in enumerate(row for batch, _ in parts for row in batch)}
    order = [place[row] for row in rows]

    def along(name: str, axis: int = 0) -> np.ndarray:
        return np.concatenate([getattr(part, name) for _, part in parts], axis).take(order, axis)

    return Scores(parts[0][1].heads, along("tokens"), along("slope"), along("drawn", 1), along("ran"))


def _batch_scores(
    patched: Hybrid,
    patterns: HeadMaps,
    features: Features,
    batch: Sequence[int],
    taken: frozenset[HeadId],
    draws: int,
    generator: torch.Generator,
) -> np.ndarray:
    """float32 [whether the program ran, slope and draws, passage, head]."""
    device = patched.loaded.device
    tokens = predicted(patched.loaded, features, batch)
    start = [float(head in taken) for head in patterns.heads]
    mix = torch.tensor([start] * len(batch), device=device, requires_grad=True)
    scaled = mix if patterns.mix is None else mix * patterns.mix
    passed = patched.passed(features, batch, replace(patterns, mix=scaled))
    read = tokens.read(passed.logits)
    targets = tokens.drawn(read, draws, generator)
    if taken:
        with torch.no_grad():
            base = tokens.read(patched.forward(features, batch, None))
        targets.append(tokens.distance(base, read).sum())
    gradients = [
        torch.autograd.grad(target, mix, retain_graph=at + 1 < len(targets))[0].cpu()
        for at, target in enumerate(targets)
    ]
    slope = gradients.pop() if taken else torch.zeros_like(gradients[0])
    found: np.ndarray = torch.stack([(patterns.ran & ~passed.failed).float(), slope, *gradients]).numpy()
    return found

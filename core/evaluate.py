"""What a hybrid costs: perplexity and KL on the same tokens as the unmodified model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from core.device import Halving
from core.errors import HybridError
from core.extract import batches, padded_tokens
from core.features import Features
from core.hybrid import hybrid
from core.models import LoadedModel
from core.types import Evaluation, HybridSpec

_BATCH_TOKENS = 256  # bounds the logits held at once: tokens x vocabulary, for both models
_RESAMPLES = 1000
_BOOTSTRAP_SEED = 0


def evaluate_hybrid(
    loaded: LoadedModel,
    spec: HybridSpec,
    features: Features,
    tell: Callable[[int, int], None] = lambda done, total: None,
    halving: Halving | None = None,
) -> Evaluation:
    """Perplexity of the hybrid and of the unmodified model on every passage of `features`.

    The first token of a passage is context only. `tell` hears passages done and in all; `halving` makes
    batches smaller where memory runs out. Raises HybridError for an encoder, or if no passage has two tokens.
    """
    if not loaded.info.is_causal:
        raise HybridError(
            f"{loaded.info.name} is an encoder: it predicts no next token, so has no perplexity"
        )
    rows = [row for row, n in enumerate(features.lengths) if n >= 2]
    if not rows:
        raise HybridError("no passage has two tokens, so there is nothing to predict; give longer text")
    sums = np.zeros((len(features), 3))  # per passage: base loss, hybrid loss, KL; in nats
    halving = halving or Halving()
    with hybrid(loaded, spec) as patched:

        def sums_of(batch: Sequence[int]) -> tuple[list[tuple[float, float, float]], int]:
            failures = patched.failures
            base = patched.logits(features, batch, replaced=False)
            changed = patched.logits(features, batch)
            texts = [features.token_ids[features.span(row)] for row in batch]
            found = [_passage_sums(*passage) for passage in zip(base, changed, texts, strict=True)]
            return found, patched.failures - failures

        def width(batch: Sequence[int]) -> int:
            return padded_tokens(features.lengths, batch)

        done = kept = 0
        for batch in batches(features.lengths, rows, _BATCH_TOKENS):
            for part, (found, failures) in halving.run(batch, sums_of, width):
                sums[part] = found
                kept += failures
                done += len(part)
                tell(done, len(rows))
    return _summarise(sums[rows], features.lengths[rows] - 1, kept=kept)


def _passage_sums(base: torch.Tensor, changed: torch.Tensor, ids: np.ndarray) -> tuple[float, float, float]:
    """Summed loss of both models and KL(base || changed) over a passage's predicted tokens, in nats."""
    targets = torch.from_numpy(ids[1:].astype(np.int64)).to(base.device)[:, None]
    log_base = torch.log_softmax(base[: len(targets)].float(), dim=-1)
    log_changed = torch.log_softmax(changed[: len(targets)].float(), dim=-1)
    divergence = torch.nn.functional.kl_div(log_changed, log_base, log_target=True, reduction="sum")
    return (
        -log_base.gather(1, targets).sum().item(),
        -log_changed.gather(1, targets).sum().item(),
        divergence.item(),
    )


def _summarise(sums: np.ndarray, tokens: np.ndarray, kept: int) -> Evaluation:
    base, changed, kl = sums.sum(0) / tokens.sum()
    low, high = _increase_interval(sums, tokens)
    return Evaluation(
        base_ppl=float(np.exp(base)),
        ppl=float(np.exp(changed)),
        increase=float(np.expm1(changed - base)),
        low=low,
        high=high,
        kl=float(kl),
        tokens=int(tokens.sum()),
        passages=len(tokens),
        kept=kept,
    )


def _increase_interval(sums: np.ndarray, tokens: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the perplexity increase, resampling passages."""
    n = len(tokens)
    counts = np.random.default_rng(_BOOTSTRAP_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    loss_added = counts @ (sums[:, 1] - sums[:, 0]) / (counts @ tokens)
    low, high = np.percentile(np.expm1(loss_added), [2.5, 97.5])
    return float(low), float(high)

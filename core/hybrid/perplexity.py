"""What hybrids cost: loss and KL of every token, beside the unmodified model's on the same tokens.

Of an encoder the tokens are those that are hidden from it, or its final states; see core.hybrid.predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.features import Features
from core.hybrid import NO_PATTERNS, Hybrid, PatternSource, ProgramPatterns, parsed, replaced
from core.hybrid.predicted import asked, measure_of, predictable, predicted
from core.maps import like_batches
from core.models.attention import padded_tokens
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.scoring.intervals import token_interval
from core.types import Estimate, Evaluation, HeadId, HybridSpec, Measure

BATCH_TOKENS = 256  # bounds the logits held at once: tokens x vocabulary, for two models

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Variant:
    """Some heads of a source, replaced together. Variants that share a source share its patterns."""

    source: PatternSource
    heads: frozenset[HeadId]


@dataclass(frozen=True)
class Losses:
    """Of every token that is compared, in nats; of final states no loss, and cosine distance for KL."""

    rows: np.ndarray  # int64 [token]: the passage, as a row of the features
    base: np.ndarray  # float32 [token]: negative log-likelihood of the unmodified model
    changed: np.ndarray  # float32 [variant, token]
    kl: np.ndarray  # float32 [variant, token]: KL(unmodified || variant)
    kept: np.ndarray  # int64 [variant, passage]: heads that kept their own attention, by row of the features
    measure: Measure = "next tokens"


def evaluate_hybrid(
    loaded: LoadedModel,
    spec: HybridSpec,
    features: Features,
    tell: Tell = lambda done, total: None,
    halving: Halving | None = None,
) -> Evaluation:
    """Perplexity and KL of a hybrid on every passage of `features`; see `measure`.

    Raises HybridError also for a spec of another model.
    """
    source = ProgramPatterns(parsed(loaded.info, spec), loaded.info.is_causal, loaded.device)
    variant = Variant(source, frozenset(source.heads))
    return evaluation(measure(loaded, [variant], features, tell, halving))


def measure(
    loaded: LoadedModel,
    variants: Sequence[Variant],
    features: Features,
    tell: Tell = lambda done, total: None,
    halving: Halving | None = None,
) -> Losses:
    """Losses of several hybrids; the unmodified model runs once, and each source once a batch.

    `tell` hears passages done and in all; `halving` makes batches smaller where memory runs out. Raises
    HybridError if no passage has anything to predict.
    """
    features = asked(loaded, features)
    rows = predictable(loaded, features)
    halving = halving or Halving()
    parts = []
    kept = np.zeros((len(variants), len(features)), np.int64)

    def width(batch: Sequence[int]) -> int:
        return padded_tokens(features.lengths, batch)

    with replaced(loaded, NO_PATTERNS) as patched, torch.inference_mode():
        done = 0
        for batch in like_batches(features.lengths, rows, BATCH_TOKENS):
            for part, (found, failures) in halving.run(
                batch, lambda part: _batch_losses(patched, variants, features, part), width
            ):
                parts.append(found)
                kept[:, part] = failures
                done += len(part)
                tell(done, len(rows))
    found_rows, base, changed, kl = (np.concatenate(values, axis=-1) for values in zip(*parts, strict=True))
    order = np.argsort(found_rows, kind="stable")
    return Losses(found_rows[order], base[order], changed[:, order], kl[:, order], kept, measure_of(loaded))


def _batch_losses(
    patched: Hybrid, variants: Sequence[Variant], features: Features, batch: Sequence[int]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Row, base loss, changed loss and KL of every predicted token; and the heads kept [variant, passage]."""
    tokens = predicted(patched.loaded, features, batch)
    base = tokens.read(patched.forward(features, batch, None))
    sources = {id(variant.source): variant.source for variant in variants}
    produced = {name: source.patterns(features.select(batch)) for name, source in sources.items()}
    found = np.zeros((2, len(variants), len(tokens)), np.float32)
    kept = np.zeros((len(variants), len(batch)), np.int64)
    for at, variant in enumerate(variants):
        passed = patched.passed(features, batch, produced[id(variant.source)].among(variant.heads))
        kept[at] = (~passed.ran).sum(1).numpy()
        changed = tokens.read(passed.logits)
        found[0, at] = tokens.losses(changed).cpu().numpy()
        found[1, at] = tokens.distance(base, changed).cpu().numpy()
    return (tokens.rows, tokens.losses(base).cpu().numpy(), *found), kept


def evaluation(losses: Losses, variant: int = 0, tokens: np.ndarray | None = None) -> Evaluation:
    """Figures of one variant; of the tokens [token] that a mask selects, such as a genre's."""
    which = np.ones(len(losses.rows), bool) if tokens is None else tokens
    passages, counts = np.unique(losses.rows[which], return_counts=True)
    base, changed = losses.base[which].mean(dtype=float), losses.changed[variant, which].mean(dtype=float)
    added = losses.changed[variant, which].astype(float) - losses.base[which]
    low, high = np.expm1(token_interval(added, losses.rows[which]))  # nan of final states, as all losses
    kl = losses.kl[variant, which]
    kl_low, kl_high = token_interval(kl, losses.rows[which])
    return Evaluation(
        base_ppl=float(np.exp(base)),
        ppl=float(np.exp(changed)),
        increase=Estimate(float(np.expm1(changed - base)), float(low), float(high)),
        kl=Estimate(float(kl.mean(dtype=float)), float(kl_low), float(kl_high)),
        tokens=int(counts.sum()),
        passages=len(passages),
        kept=int(losses.kept[variant, passages].sum()),
        measure=losses.measure,
    )


def kl_beyond(losses: Losses, one: int, other: int) -> Estimate:
    """How much more KL per token variant `one` costs than `other`."""
    more = losses.kl[one].astype(float) - losses.kl[other]
    low, high = token_interval(more, losses.rows)
    return Estimate(float(more.mean()), float(low), float(high))

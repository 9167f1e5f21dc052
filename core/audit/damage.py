"""Damage: at which tokens a hybrid is more surprised than its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit.contract import Audit, Cell, Figure, Finding, HybridSubject, Shaded, at_most
from core.types import Bounds, Estimate, TokenDamage, Told, option

if TYPE_CHECKING:
    from core.features import Features
    from core.hybrid.perplexity import Losses

_WORST = 10  # tokens listed


@dataclass(frozen=True)
class DamageLimits:
    """What counts as damage, how much of it a hybrid may do, and how much of it is kept to look at."""

    nats: float = option(0.5, "a token whose loss grows by more is damaged", Bounds(least=0))
    damaged: float = option(0.05, "share of tokens that a hybrid may damage", Bounds(0, 1))
    passages: int = option(60, "passages that are read or kept token by token", Bounds(above=0))


def token_damage(losses: Losses, features: Features, passages: int | None = None) -> list[TokenDamage]:
    """Of the first passages every token with its loss in both models, to a thousandth of a nat."""
    shown = DamageLimits().passages if passages is None else passages
    return [_of_passage(losses, features, int(row)) for row in np.unique(losses.rows)[:shown]]


def _of_passage(losses: Losses, features: Features, row: int) -> TokenDamage:
    tokens = losses.rows == row
    return TokenDamage(
        tuple(features.surfaces[features.span(row)]),
        _rounded(losses.base[tokens]),
        _rounded(losses.changed[0, tokens]),
        _rounded(losses.kl[0, tokens]),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)


def run(subject: HybridSubject, limits: DamageLimits, told: Told) -> Finding:
    """How many test tokens become much more surprising, which most, and passages with all of theirs."""
    from core.hybrid.perplexity import evaluation, measure
    from core.models.device import Halving

    features = subject.tested.features
    losses = measure(
        subject.loaded,
        [subject.variant()],
        features,
        lambda done, total: told.progress("measuring the damage to each token", done, total),
        Halving(told.note),
    )
    damaged = _damaged(losses, limits.nats)
    shown = token_damage(losses, features, limits.passages)
    return Finding(
        at_most(damaged, limits.damaged),
        f"A token is damaged where its loss grows by more than {limits.nats:g} nats; a hybrid may damage "
        f"{limits.damaged:.0%} of them.",
        (
            Figure("tokens damaged", damaged, "share"),
            Figure("increase of perplexity", evaluation(losses).increase, "change"),
            Figure("KL per token", evaluation(losses).kl, "nats"),
        ),
        ("token", "passage", "loss, model", "loss, hybrid", "KL"),
        _worst(shown),
        tuple(_shaded(passage) for passage in shown),
    )


def _damaged(losses: Losses, nats: float) -> Estimate:
    """The share of tokens whose loss grows by more, with its interval over passages."""
    from core.scoring.intervals import token_interval

    hits = (losses.changed[0] - losses.base > nats).astype(float)
    low, high = token_interval(hits, losses.rows)
    return Estimate(float(hits.mean()), float(low), float(high))


def _worst(passages: Sequence[TokenDamage]) -> tuple[tuple[Cell, ...], ...]:
    """The tokens whose loss grows most, of those that are kept."""
    rows = [
        (token, number, base, changed, kl)
        for number, passage in enumerate(passages, 1)
        for token, base, changed, kl in zip(
            passage.tokens[1:], passage.base, passage.changed, passage.kl, strict=True
        )
    ]
    return tuple(sorted(rows, key=lambda row: row[2] - row[3])[:_WORST])


def _shaded(passage: TokenDamage) -> Shaded:
    added = tuple(b - a for a, b in zip(passage.base, passage.changed, strict=True))
    return Shaded(passage.tokens, (0.0, *added), f"{sum(added) / len(added):+.2f} nats per token")


DAMAGE = Audit(
    "damage",
    "Damage",
    "At which tokens is the hybrid more surprised than its model?",
    of="hybrid",
    needs_next_tokens=True,
    limits=DamageLimits,
    run=run,
)

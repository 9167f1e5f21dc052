"""Sum and whole: whether what heads cost alone adds up to what they cost together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Cell, Figure, Finding, HybridSubject
from core.types import Bounds, Estimate, Told, option

_SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class SumLimits:
    """How far sum and whole may be apart."""

    factor: float = option(2.0, "times that joint cost and sum may differ", Bounds(1, 100))
    draws: int = option(2, "draws of tokens from which single costs are estimated", Bounds(1, 50))


def run(subject: HybridSubject, limits: SumLimits, told: Told) -> Finding:
    """Joint KL over the sum of single estimates, for shares of the hybrid's heads, the cheapest first."""
    from core.hybrid import ProgramPatterns
    from core.hybrid.costs import scores
    from core.hybrid.perplexity import Variant, measure
    from core.hybrid.predicted import predictable
    from core.models.device import Halving

    loaded, features = subject.loaded, subject.tested.features
    source = ProgramPatterns(subject.programs, loaded.info.is_causal, loaded.device)
    rows = predictable(loaded, features)
    single = scores(
        loaded, source, features, rows, draws=limits.draws, halving=Halving(told.note),
        tell=lambda done, total: told.progress("estimating what each head costs alone", done, total),
    )  # fmt: skip
    costs = np.square(single.drawn).mean(0) / 2  # [passage, head], nats
    order = np.argsort(costs.sum(0), kind="stable")
    counts = list(dict.fromkeys(max(1, round(share * len(order))) for share in _SHARES))
    chosen = [frozenset(single.heads[at] for at in order[:count]) for count in counts]
    losses = measure(
        loaded, [Variant(source, heads) for heads in chosen], features,
        lambda done, total: told.progress("measuring what they cost together", done, total),
        Halving(told.note),
    )  # fmt: skip
    joint = np.stack([np.bincount(losses.rows, kl, len(features))[rows] for kl in losses.kl])
    ratios, table = [], list[tuple[Cell, ...]]()
    for count, together in zip(counts, joint, strict=True):
        alone = costs[:, order[:count]].sum(1)
        ratios.append(known.ratio(together, alone))
        tokens = single.tokens.sum()
        table.append((count, round(alone.sum() / tokens, 5), round(together.sum() / tokens, 5),
                      round(ratios[-1].value, 2)))  # fmt: skip
    kept = int(losses.kept[-1].sum())
    note = (
        f"Together the {counts[-1]} heads cost {ratios[-1].value:.2f} times the sum of what each costs alone."
    )
    note += known.caveats(np.zeros(0, bool), joint[-1], "")
    if kept:
        note += f" On {kept} pairs of head and passage a program failed and the head kept its own attention."
    return Finding(
        _verdict(ratios[-1], limits.factor),
        note,
        tuple(Figure(f"joint over sum, {n} heads", ratio) for n, ratio in zip(counts, ratios, strict=True)),
        ("heads", "sum of costs alone", "cost together", "ratio"),
        tuple(table),
    )


def _verdict(ratio: Estimate, factor: float) -> AuditVerdict:
    if not np.isfinite(ratio.low):
        return "cannot tell"
    if ratio.low > factor or ratio.high < 1 / factor:
        return "fails"
    return "passes" if ratio.high <= factor and ratio.low >= 1 / factor else "cannot tell"


SUM_AND_WHOLE = Audit(
    "sum-and-whole",
    "Sum and whole",
    "Do single costs add up?",
    of="hybrid",
    limits=SumLimits,
    run=run,
    about=(
        "Costs of heads alone are estimated from gradients, in nats per token, and summed; together "
        "they are measured. Above 1, heads that are replaced stood in for one another; below 1, their"
        " errors cancel or later layers make up for them."
    ),
    sources=(
        "The Hydra Effect: Emergent Self-repair in Language Model Computations (2023)",
        "Explorations of Self-Repair in Language Models (2024)",
    ),
)

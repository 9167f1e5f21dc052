"""Controls: what patterns that explain nothing cost in the place of the same heads.

If a control costs as little as the programs, the programs explain nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audit.contract import Audit, Cell, Figure, Finding, HybridSubject, Unit, all_above
from core.display import COSTS
from core.errors import CorpusError
from core.types import Bounds, Split, Told, option

if TYPE_CHECKING:
    from core.hybrid.perplexity import Losses


@dataclass(frozen=True)
class ControlLimits:
    """Which random patterns."""

    seed: int = option(0, "of the random rows", Bounds(least=0))


def run(subject: HybridSubject, limits: ControlLimits, told: Told) -> Finding:
    """The hybrid beside each control on the same heads, on test passages.

    Raises CorpusError if there is no train passage whose attention a control may take.
    """
    from core.audit.control_patterns import controls
    from core.hybrid.perplexity import Variant, measure
    from core.models.device import Halving

    if Split.TRAIN not in subject.splits:
        raise CorpusError("the corpus has no train passage whose attention a control could take")
    heads = sorted(subject.programs)
    donors = subject.splits[Split.TRAIN].features
    sources = controls(subject.loaded, heads, donors, limits.seed, subject.programs)
    variants = [subject.variant(), *(Variant(source, frozenset(heads)) for source in sources.values())]
    losses = measure(
        subject.loaded,
        variants,
        subject.tested.features,
        lambda done, total: told.progress(f"measuring {len(sources)} controls", done, total),
        Halving(told.note),
    )
    return _finding(losses, list(sources))


def _finding(losses: Losses, names: list[str]) -> Finding:
    """Of the hybrid as variant 0 and the controls after it."""
    from core.hybrid.perplexity import evaluation, kl_beyond

    words = COSTS[losses.measure]
    beyond = {name: kl_beyond(losses, at, 0) for at, name in enumerate(names, 1)}
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(["programs", *names]):
        cost = evaluation(losses, at)
        increase = (cost.increase.value, cost.increase.low, cost.increase.high)
        rows.append((name, *(increase if words.perplexity else (None,) * 3), cost.kl.value))
    unit: Unit = "nats" if words.perplexity else ""
    return Finding(
        all_above(beyond.values()),
        "Each control replaces the same heads. The programs explain something if every control costs more.",
        (
            Figure(f"{words.distance}, programs", evaluation(losses, 0).kl, unit),
            *(Figure(f"{words.short} beyond it: {name}", more, unit) for name, more in beyond.items()),
        ),
        ("in the heads' place", "increase", "low", "high", words.short),
        tuple(rows),
    )


CONTROLS = Audit(
    "controls",
    "Controls",
    "Would patterns that explain nothing cost more in the place of the same heads?",
    of="hybrid",
    limits=ControlLimits,
    run=run,
)

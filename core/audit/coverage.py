"""Coverage: on how many passages a program runs, why not on the others, and how it fits where it does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit.contract import Audit, Cell, Figure, Finding, ProgramSubject, at_most
from core.display import counted
from core.types import Bounds, Sentence, Told, option

if TYPE_CHECKING:
    from core.scoring import Evidence

_QUOTED = 60  # characters of a passage


@dataclass(frozen=True)
class CoverageLimits:
    """How often a program may fail."""

    failing: float = option(0.02, "share of passages on which a program may fail", Bounds(0, 1))


def run(subject: ProgramSubject, limits: CoverageLimits, told: Told) -> Finding:
    """The share of test passages on which the program fails, and its IoU with and without them."""
    from core.scoring.intervals import mean_estimate, share_estimate

    passages = subject.tested
    evidence = passages.examiner.compare(subject.head, subject.program)
    fails = np.array([sentence.id in evidence.failures for sentence in passages.sentences])
    failing = share_estimate(fails)
    figures = [
        Figure("passages it fails on", failing, "share"),
        Figure("IoU, failures counted as 0", evidence.fit),
    ]
    if not fails.all():
        figures.append(Figure("IoU where it runs", mean_estimate(evidence.ious[~fails])))
    return Finding(
        at_most(failing, limits.failing),
        _note(int(fails.sum()), len(fails)),
        tuple(figures),
        ("why", "passages", "for example"),
        _reasons(evidence, passages.sentences),
    )


def _reasons(evidence: Evidence, sentences: tuple[Sentence, ...]) -> tuple[tuple[Cell, ...], ...]:
    """Each reason with how many passages fail for it and the first of them, the most frequent first."""
    why = {name: f"{failure.kind}: {failure.detail}" for name, failure in evidence.failures.items()}
    first: dict[str, str] = {}
    for sentence in sentences:
        if sentence.id in why:
            first.setdefault(why[sentence.id], sentence.text[:_QUOTED])
    return tuple((reason, count, first[reason]) for reason, count in Counter(why.values()).most_common())


def _note(failed: int, passages: int) -> str:
    if not failed:
        return f"The program runs on all {counted(passages, 'test passage')}."
    return (
        f"The program fails on {failed} of {counted(passages, 'test passage')}; "
        "there it explains nothing, and in a hybrid the head keeps its own attention."
    )


COVERAGE = Audit(
    "coverage",
    "Coverage",
    "Does the program say something about every passage?",
    of="program",
    is_resolvable=False,
    limits=CoverageLimits,
    run=run,
)

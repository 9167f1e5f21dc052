"""Foresees edits: whether a program says what the head does when a word is changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Figure, Finding, ProgramSubject, Shaded, at_least
from core.types import Bounds, Estimate, Told, option

if TYPE_CHECKING:
    from core.audit.shared import EditFigures, Shift

FORESIGHT = "foresight"
_STILL = (
    0.001  # share of a row's weight: a head that moves less does not react, so there is nothing to foresee
)


@dataclass(frozen=True)
class ForesightLimits:
    """How many edits are made."""

    edits: int = option(2, "edits of each test passage", Bounds(1, 20))
    seed: int = option(0, "of which tokens are swapped", Bounds(0))


def run(subject: ProgramSubject, limits: ForesightLimits, told: Told) -> Finding:
    """Foresight over all edits, and the row that the head changed most."""
    row = subject.shared.row(subject.head)
    found = subject.shared.edits(limits.edits, limits.seed)
    apart, total = by_passage(found.apart[row], found.passage), by_passage(found.total[row], found.passage)
    if known.nothing(total):
        return known.undecided(total, "what an edit changes")
    moved = known.mean(_mean_by_passage(found.moved[row], found))
    foreseen = known.mean(_mean_by_passage(found.foreseen[row], found))
    foresight = foresight_of(apart, total)
    edits = len(found.passage)
    note = (
        f"Of {edits} edits, each one token swapped for another of its part of speech, the head moves "
        f"{moved.value:.1%} of a row's weight and the program {foreseen.value:.1%}."
    )
    if failed := int(found.failed[row].sum()):
        note += f" The program fails on {failed} of them, which counts as saying that nothing changes."
    note += known.caveats(np.zeros(0, bool), total, "")
    if moved.value <= _STILL:
        note += " The head hardly reacts, so there is nothing to foresee."
    return Finding(
        _verdict(foresight, moved, foreseen),
        note,
        (
            Figure(FORESIGHT, foresight),
            Figure("weight the head moves", moved, "share"),
            Figure("weight the program moves", foreseen, "share"),
        ),
        shaded=_shown(found.shifts.get(subject.head)),
    )


def by_passage(values: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """Sums over the edits of each edited passage."""
    places, at = np.unique(passages, return_inverse=True)
    return np.bincount(at, values, len(places)) if len(places) else np.zeros(0)


def _mean_by_passage(values: np.ndarray, found: EditFigures) -> np.ndarray:
    counts = by_passage(np.ones(len(values)), found.passage)
    means: np.ndarray = by_passage(values, found.passage) / np.maximum(counts, 1)
    return means


def foresight_of(apart: np.ndarray, total: np.ndarray) -> Estimate:
    """1 less what is missed of the changes, both by passage."""
    missed = known.ratio(apart, total)
    return Estimate(1 - missed.value, 1 - missed.high, 1 - missed.low)


def _verdict(foresight: Estimate, moved: Estimate, foreseen: Estimate) -> AuditVerdict:
    if moved.value <= _STILL:
        return "cannot tell"
    if foreseen.value == 0 and not math.isnan(moved.low):
        return "fails"
    return at_least(foresight, known.LEAST)


def _shown(shift: Shift | None) -> tuple[Shaded, ...]:
    """The row of the head that an edit changed most, and what the program says of it."""
    if shift is None:
        return ()
    edit = shift.edit
    swapped = f"“{edit.before.strip()}” became “{edit.after.strip()}”"
    query = shift.tokens[shift.query].strip()
    before = tuple(edit.before if at == edit.place else token for at, token in enumerate(shift.tokens))
    return (
        Shaded(
            shift.tokens,
            shift.head,
            f"{swapped}: the head's weight from “{query}”",
            shift.head_before,
            before,
        ),
        Shaded(shift.tokens, shift.program, "the program's", shift.program_before, before),
    )


FORESEES = Audit(
    "foresight",
    "Foresees edits",
    "Change a word: does the program say what the head does then?",
    of="program",
    limits=ForesightLimits,
    run=run,
    about=(
        "Foresight is 1 - sum (change of head - change of program)^2 / sum (change of head)^2 over "
        "the rows from the edit on: 1 is every change foreseen, 0 no better than saying that nothing "
        "changes, as a text-blind twin does."
    ),
    sources=(
        "Rigorously Assessing Natural Language Explanations of Neurons (2023)",
        "Attention is not Explanation (2019)",
    ),
)

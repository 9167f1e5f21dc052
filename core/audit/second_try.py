"""Second try: whether constants fitted on other train passages would tell the same of the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Cell, Figure, Finding, ProgramSubject
from core.audit.passages import Passages
from core.audit.rules import rules_of
from core.display import counted
from core.types import Bounds, Estimate, HeadId, Split, Told, option

if TYPE_CHECKING:
    from core.language import ParsedProgram

COLUMNS = ("line", "rule", "constants", "refitted", "refits that need it", "IoU lost", "least", "most")
SPREAD = "spread of IoU over refits"
_NEEDS = 1e-4  # IoU lost without a line, from which a refit is said to need it


@dataclass(frozen=True)
class SecondTryLimits:
    """How often constants are fitted again, and how far the refits may lie apart."""

    refits: int = option(5, "times that the constants are fitted on resampled train passages", Bounds(2, 100))
    passages: int = option(64, "train passages that each refit draws from, with replacement", Bounds(4))
    spread: float = option(0.02, "test IoU by which the refits may lie apart", Bounds(0, 1))


def run(subject: ProgramSubject, limits: SecondTryLimits, told: Told) -> Finding:
    """Test IoU, constants and lines of the program, fitted again and again on train passages drawn anew."""
    from core.language.tune import literals

    train, tested = subject.splits.get(Split.TRAIN), subject.tested
    if train is None or not literals(subject.program):
        missing = "no train passage" if train is None else "no constant that could be fitted"
        return Finding("cannot tell", f"There is {missing}.")
    refits = refitted(subject.program, subject.head, train, limits, told)
    ious = [_iou(tested, subject.head, program) for program in refits]
    losses = _losses(subject, refits, ious)
    needs = [sum(one > _NEEDS for one in lost) for lost in losses]
    agreed = sum(count in (0, len(refits)) for count in needs)
    spread = max(ious) - min(ious)
    note = (
        f"Fitted {len(refits)} times on train passages drawn anew, the program reaches {min(ious):.3f} to "
        f"{max(ious):.3f} on test; they agree on {agreed} of {counted(len(needs), 'line')}."
    )
    own = tested.examiner.compare(subject.head, subject.program, worst=0)
    failed = np.array([one.id in own.failures for one in tested.sentences])
    is_same = spread <= limits.spread and agreed == len(needs)
    told_by = np.zeros(len(tested.sentences))
    return Finding(
        "cannot tell" if len(told_by) < known.ENOUGH else "passes" if is_same else "fails",
        note + known.caveats(failed, told_by, "counts as IoU 0"),
        (
            Figure("IoU", Estimate(float(own.ious.mean()))),
            Figure("mean IoU of the refits", Estimate(float(np.mean(ious)), min(ious), max(ious))),
            Figure(SPREAD, Estimate(spread)),
            Figure("lines on which they agree", Estimate(agreed / len(needs) if needs else 1.0), "share"),
        ),
        COLUMNS,
        tuple(_rows(subject.program, refits, losses, needs)),
    )


def refitted(
    program: ParsedProgram, head: HeadId, train: Passages, limits: SecondTryLimits, told: Told
) -> list[ParsedProgram]:
    """The program with its constants fitted to the head on passages drawn with replacement."""
    from core.language.tune import tune
    from core.maps import padded  # imports torch

    held = len(train.sentences)
    rng, found = np.random.default_rng(0), []
    maps = {one.sentence: one.weights for one in train.attention.head(head)}
    for done in range(limits.refits):
        told.progress("fitting constants again", done, limits.refits)
        drawn = rng.integers(held, size=min(held, limits.passages))
        features = train.features.select([int(row) for row in drawn])
        names = [train.sentences[row].id for row in drawn]
        target = padded([maps[name] for name in names])
        looks = train.attention.looks(names) if program.looks else None
        (fit,) = tune([(program, target)], features, train.is_causal, seed=done, looks=looks)
        found.append(fit.program)
    return found


def _iou(tested: Passages, head: HeadId, program: ParsedProgram) -> float:
    return float(tested.examiner.compare(head, program, worst=0).ious.mean())


def _losses(
    subject: ProgramSubject, refits: Sequence[ParsedProgram], ious: Sequence[float]
) -> list[list[float]]:
    """Test IoU that each refit loses without a rule, [rule][refit]."""
    without = [[rule.without for rule in rules_of(program.source)] for program in refits]
    return [
        [iou - _iou(subject.tested, subject.head, program) for iou, program in zip(ious, others, strict=True)]
        for others in zip(*without, strict=True)
    ]


def _rows(
    program: ParsedProgram, refits: Sequence[ParsedProgram], losses: Sequence[list[float]], needs: list[int]
) -> list[tuple[Cell, ...]]:
    """Each rule with its constants, given and fitted again."""
    again = [_constants(one) for one in refits]
    rows: list[tuple[Cell, ...]] = []
    for at, (rule, own) in enumerate(zip(rules_of(program.source), _constants(program), strict=True)):
        lost, fitted = losses[at], "; ".join(constants[at] for constants in again)
        rows.append(
            (
                rule.line, rule.text, own, fitted, f"{needs[at]} of {len(refits)}",
                round(float(np.mean(lost)), 4), round(min(lost), 4), round(max(lost), 4),
            )
        )  # fmt: skip
    return rows


def _constants(program: ParsedProgram) -> list[str]:
    """Of each rule the constants that can be fitted."""
    from core.language.tune import literals

    found = literals(program)
    return [
        ", ".join(f"{one.value:g}" for one in found if rule.line <= one.line <= rule.last)
        for rule in rules_of(program.source)
    ]


SECOND_TRY = Audit(
    "second-try",
    "Second try",
    "Would other train passages have given the same program?",
    of="program",
    is_resolvable=False,
    limits=SecondTryLimits,
    run=run,
    is_usual=False,
    about=(
        "The constants are fitted again on train passages drawn with replacement; the lines stay. A line "
        "keeps its sign if all refits need it, or none does: if taking it out costs IoU. Constants have a "
        "common factor free, since rows are made to sum to 1. The interval of the mean is the range of the "
        "refits. It takes about half a minute a head."
    ),
    sources=("Attention is not not Explanation (2019)",),
)

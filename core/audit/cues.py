"""Planted cues: of each rule, edits that switch it on or off, and whether the head heeds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audit import known
from core.audit.contract import Audit, Cell, Figure, Finding, ProgramSubject, at_least
from core.audit.foresight import by_passage, foresight_of
from core.audit.rules import rules_of
from core.types import Bounds, Told, option

if TYPE_CHECKING:
    from core.audit.shared import EditFigures

_SWITCHES = 0.05  # of a row's weight that a rule has to move, for an edit to be its cue


@dataclass(frozen=True)
class CueLimits:
    """How cues are sought."""

    tried: int = option(6, "edits of each test passage among which cues are sought", Bounds(1, 50))
    each: int = option(8, "edits for each rule, those that change most of what it adds", Bounds(1, 100))
    seed: int = option(0, "of which tokens are swapped", Bounds(0))


def run(subject: ProgramSubject, limits: CueLimits, told: Told) -> Finding:
    """Foresight on each rule's cues, and on all of them together."""
    shared = subject.shared
    without = {head: [rule.without for rule in rules_of(p.source)] for head, p in shared.programs.items()}
    found = shared.cues(limits.tried, limits.seed, without)
    row, rules = shared.row(subject.head), rules_of(subject.program.source)
    if not rules:
        return Finding("cannot tell", "The program has no line that could be switched on or off.")
    rows, chosen = [], set[int]()
    for rule, effect in zip(rules, found.effects[subject.head], strict=True):
        cues = [int(at) for at in np.argsort(-effect, kind="stable")[: limits.each] if effect[at] > _SWITCHES]
        chosen |= set(cues)
        rows.append(_row(rule.line, rule.text, found, row, cues))
    silent = sum(cells[2] == 0 for cells in rows)
    if not chosen:
        return Finding(
            "cannot tell", f"No edit switched any of the {len(rules)} rules.", (), COLUMNS, tuple(rows)
        )
    which = sorted(chosen)
    apart = by_passage(found.apart[row][which], found.passage[which])
    total = by_passage(found.total[row][which], found.passage[which])
    foresight = foresight_of(apart, total)
    note = f"{len(chosen)} edits switch {len(rules) - silent} of {len(rules)} rules on or off."
    if silent:
        note += f" For {silent} no edit was found that does."
    if failed := int(found.failed[row][which].sum()):
        note += f" The program fails on {failed} of them, which counts as saying that nothing changes."
    return Finding(
        at_least(foresight),
        note + known.caveats(np.zeros(0, bool), total, ""),
        (Figure("foresight on cues", foresight),),
        COLUMNS,
        tuple(rows),
    )


COLUMNS = ("line", "rule", "edits", "the strongest", "head moves", "program moves", "foresight")


def _row(line: int, text: str, found: EditFigures, row: int, cues: list[int]) -> tuple[Cell, ...]:
    if not cues:
        return line, text, 0, None, None, None, None
    strongest = found.edits[cues[0]]
    total = found.total[row][cues].sum()
    return (
        line, text, len(cues), f"“{strongest.before.strip()}” → “{strongest.after.strip()}”",
        round(float(found.moved[row][cues].mean()), 4), round(float(found.foreseen[row][cues].mean()), 4),
        round(float(1 - found.apart[row][cues].sum() / total), 3) if total > 0 else None,
    )  # fmt: skip


CUES = Audit(
    "cues",
    "Planted cues",
    "Switch a rule on or off: does the head heed it?",
    of="program",
    limits=CueLimits,
    run=run,
    is_usual=False,
    about=(
        "Tokens are swapped for any others until each rule adds something else than before. If the "
        "rule is true of the head, the head then changes as the program says: foresight near 1; if "
        "the rule only resembles it, near or below 0."
    ),
    sources=(
        "Rigorously Assessing Natural Language Explanations of Neurons (2023)",
        "Interpretable Question Answering on Knowledge Bases and Text (2019)",
    ),
)

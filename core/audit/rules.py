"""Rule by rule: which lines of a program are true of its head, and which only decorate it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from core.audit import known
from core.audit.contract import Audit, AuditVerdict, Cell, Figure, Finding, ProgramSubject
from core.language import syntax_tree
from core.types import Bounds, Estimate, HeadId, Told, is_plain, option

if TYPE_CHECKING:
    from torch import Tensor

    from core.audit.shared import Reading
    from core.language import ParsedProgram

COLUMNS = (
    "line", "rule", "verdict", "rows", "right", "IoU lost", "low", "high", "output error added", "cost added",
)  # fmt: skip
_MOVES = 1e-4  # of a row's weight, from which a rule is said to do something there


@dataclass(frozen=True)
class RuleLimits:
    """How many of a program's lines may be idle."""

    decorative: int = option(0, "decorative rules that a program may have", Bounds(0))


@dataclass(frozen=True)
class Rule:
    """A statement that a program can do without, and the program without it."""

    line: int  # counted from 1
    last: int
    text: str
    without: ParsedProgram


@lru_cache(maxsize=1024)
def rules_of(source: str) -> tuple[Rule, ...]:
    """The statements of a program's body without which it still is a program."""
    from core.errors import ProgramError
    from core.language import parse

    if is_plain(source):
        return ()
    lines = source.split("\n")
    function = syntax_tree(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    found = []
    for statement in function.body:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        if isinstance(statement, ast.Return | ast.Expr):
            continue
        rest = "\n".join(lines[: first - 1] + lines[last:])
        try:
            without = parse(rest)
        except ProgramError:  # others need it
            continue
        text = " ".join(line.strip() for line in lines[first - 1 : last])
        found.append(Rule(first, last, text, without))
    return tuple(found)


def probe(reading: Reading, limits: RuleLimits) -> Mapping[HeadId, Tensor]:
    """Of each rule [rule, figure, passage]: rows it moves, rows there are, weight it moves the right way,
    weight it moves, IoU lost without it, output distance added, cost added.
    """
    import torch

    from core.audit import measures

    found = {}
    for at, head in enumerate(reading.heads):
        a, x, g = reading.a[:, at], reading.x[:, at], reading.g[:, :, at]
        z = None if reading.z is None else reading.z[:, at]
        rules = []
        for rule in rules_of(reading.programs[head].source):
            without = reading.pattern(rule.without)
            moved = x - without
            rows = moved.abs().sum(-1) > _MOVES
            right = (moved * (a - without) > 0) * moved.abs()
            unknown = torch.full_like(reading.lengths, torch.nan, dtype=a.dtype)
            apart = (
                unknown
                if z is None
                else measures.written_apart(a, without, z) - measures.written_apart(a, x, z)
            )
            rules.append(
                torch.stack(
                    [
                        rows.sum(-1).to(a.dtype),
                        reading.lengths.to(a.dtype),
                        right.sum((-1, -2)),
                        moved.abs().sum((-1, -2)),
                        measures.iou(a, x) - measures.iou(a, without),
                        apart,
                        measures.estimated_cost(a, without, g) - measures.estimated_cost(a, x, g),
                    ]
                )
            )
        if rules:
            found[head] = torch.stack(rules)
    return found


def run(subject: ProgramSubject, limits: RuleLimits, told: Told) -> Finding:
    """Every rule with where it acts, whether it acts rightly, and what is lost without it."""
    rules = rules_of(subject.program.source)
    if not rules:
        return Finding("cannot tell", "The program has no line that it could do without.")
    found, row = subject.shared.passages, subject.shared.row(subject.head)
    values = subject.probed(RULES, limits)
    if known.nothing(values[0, 4]):
        return known.undecided(values[0, 4], "what a rule does")
    tokens = found.tokens.astype(float)
    rows, idle = [], 0
    for rule, (fired, there, right, moved, iou, apart, cost) in zip(rules, values, strict=True):
        lost = known.mean(iou)
        error = known.ratio(apart, found.written[row])
        added = known.ratio(cost, tokens)
        word = _word((lost, error, added))
        idle += word != "needed"
        rows.append(
            _row(rule, word, known.ratio(fired, there), known.ratio(right, moved), lost, error, added)
        )
    worst = max(rows, key=lambda cells: float(cells[5] or 0))
    note = f"{len(rules) - idle} of {len(rules)} rules are needed; most is lost without line {worst[0]}."
    if idle:
        note += f" Without {idle} of them neither IoU nor output nor cost gets clearly worse."
    verdict: AuditVerdict = "passes" if idle <= limits.decorative else "fails"
    if math.isnan(known.mean(values[0, 4]).low):
        verdict = "cannot tell"
    return Finding(
        verdict,
        note + known.caveats(found.failed[row], values[0, 4], "loses nothing"),
        (
            Figure("rules needed", Estimate((len(rules) - idle) / len(rules)), "share"),
            Figure("rules", Estimate(float(len(rules)))),
        ),
        COLUMNS,
        tuple(rows),
    )


def _word(losses: tuple[Estimate, ...]) -> str:
    """A rule is needed where something clearly gets worse without it, harmful where something gets better."""
    if any(loss.low > 0 for loss in losses):
        return "needed"
    return "harmful" if any(loss.high < 0 for loss in losses) else "decorative"


def _row(
    rule: Rule, word: str, fired: Estimate, right: Estimate, lost: Estimate, error: Estimate, added: Estimate
) -> tuple[Cell, ...]:
    return (
        rule.line, rule.text, word, round(fired.value, 3), round(right.value, 3), round(lost.value, 4),
        round(lost.low, 4), round(lost.high, 4), round(error.value, 4), round(added.value, 5),
    )  # fmt: skip


RULES = Audit(
    "rules",
    "Rule by rule",
    "Which lines are true of the head?",
    of="program",
    limits=RuleLimits,
    run=run,
    probe=probe,
    is_usual=False,
    about=(
        "Each statement is taken out and the program run without it. Rows: of how many queries that "
        "changes the weights. Right: how much of the weight that the rule moves it moves towards the "
        "head. A rule is decorative where the intervals of all three losses reach 0."
    ),
    sources=("Rigorously Assessing Natural Language Explanations of Neurons (2023)",),
)

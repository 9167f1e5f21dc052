"""The command that audits programs or a hybrid; its options are the limits of every audit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from core.audit import AUDITS, RUNGS, Standing, ready
from core.cli.hybrids import stored_hybrid
from core.cli.options import given, made_of, options_of
from core.cli.programs import audit_figures
from core.cli.session import Model, Now, Session
from core.errors import AuditError
from core.types import CardId, HeadId, Json, ModelInfo, Split

if TYPE_CHECKING:
    from core.store.findings import StoredFinding

    AuditOptions = Any
else:
    AuditOptions = options_of(
        {
            Group(f"Options of {audit.name}", sort_key=3 + place): audit.limits
            for place, audit in enumerate(AUDITS.values())
        }
    )


def audit(
    name: Annotated[
        str | None, Parameter(help="one audit alone; all that can run unless given", choices=list(AUDITS))
    ] = None,
    /,
    *,
    now: Now,
    model: Model = None,
    heads: Annotated[
        str | None, Parameter(help="of these heads' best programs, such as L0H1,L3H*", metavar="HEADS")
    ] = None,
    hybrid_id: Annotated[
        str | None,
        Parameter(name="--hybrid", help="of a hybrid instead: its id, or how it starts", metavar="ID"),
    ] = None,
    is_resolved: Annotated[
        bool,
        Parameter(
            name="--resolved", negative="", help="with programs in the place of heads that are looked at"
        ),
    ] = False,
    options: AuditOptions = None,
) -> Json:
    """Ask whether programs explain their heads, or of a hybrid what it costs where: figures, and verdicts.

    Without a name all audits of programs are run, and each head is put on the ladder: untestable, position
    only, fits but does not foresee, explains. An audit of hybrids takes the latest unless --hybrid names one.

    Example: python -m core audit --json

    Example: python -m core audit coverage --heads L3H*

    Example: python -m core audit --resolved

    Example: python -m core audit damage --nats 1
    """
    info = now.model(model)
    taken = given(options)
    if name is None and taken:
        raise AuditError("options belong to one audit: name it, as in `audit damage --nats 1`")
    of_hybrid = hybrid_id is not None if name is None else AUDITS.named(name).of == "hybrid"
    if of_hybrid and heads is not None:
        raise AuditError("--heads goes with audits of programs; an audit of a hybrid takes all of its heads")
    audits = _asked(name, taken, of_hybrid, info.is_causal, is_resolved)
    if of_hybrid and is_resolved:
        raise AuditError("a hybrid reads programs where it replaces heads already; leave out --resolved")
    if of_hybrid:
        chosen = str(stored_hybrid(now, info, hybrid_id).hybrid_id)
        now.follow(now.runner.start_hybrid_audits(info, audits, chosen))
        return _answer(info, audits, now.workspace.findings.of_hybrid(info.id, chosen))
    if hybrid_id is not None:
        raise AuditError(f"{name} is an audit of programs; leave out --hybrid")
    if is_resolved:
        now.resolve(info)
    programs = _programs(now, info, heads)
    now.follow(now.runner.start_program_audits(info, audits, programs, is_resolved))
    chains = now.workspace.library.best_chains(info.id) if is_resolved else None
    findings = _of_programs(now, info, programs, chains)
    if name is not None:
        return _answer(info, audits, findings)
    known = now.workspace.findings.standings(info.id, chains)
    return {"resolved": is_resolved, **_ladder(info, audits, findings, known, programs)}


def _asked(
    name: str | None, taken: dict[str, Any], of_hybrid: bool, is_causal: bool, is_resolved: bool
) -> dict[str, object]:
    """Every audit to run, with its limits."""
    if name is None:
        return ready("hybrid" if of_hybrid else "program", is_causal, is_resolved)
    return {name: made_of(AUDITS.named(name).limits, taken, name)}


def _programs(now: Session, info: ModelInfo, heads: str | None) -> dict[HeadId, str]:
    """The best program, by validation, of each head asked for that has one."""
    from core.review import heads_named

    chosen = info.head_ids() if heads is None else heads_named(heads, info)
    best = now.workspace.library.best(info.id, Split.VALIDATION)
    return {b.score.head: b.program.source for b in best if b.score.head in set(chosen)}


def _of_programs(
    now: Session, info: ModelInfo, programs: dict[HeadId, str], chains: Mapping[CardId, str] | None
) -> list[StoredFinding]:
    """What is known of these programs, given the heads or resolved."""
    from core.scoring import program_of

    found = now.workspace.findings.of_programs(info.id, chains)
    cards = [(head, program_of(source).id) for head, source in sorted(programs.items())]
    return [stored for card in cards for stored in found.get(card, {}).values()]


def _answer(info: ModelInfo, audits: dict[str, object], findings: Sequence[StoredFinding]) -> Json:
    """How often each audit passes, and every figure a row."""
    asked = [stored for stored in findings if stored.audit in audits]
    verdicts = {name: Counter(s.finding.verdict for s in asked if s.audit == name) for name in audits}
    return {
        "model": info.title,
        **{name: dict(counts) for name, counts in verdicts.items()},
        "rows": [row for stored in asked for row in _rows(stored)],
    }


def _ladder(
    info: ModelInfo,
    audits: dict[str, object],
    findings: Sequence[StoredFinding],
    known: dict[CardId, Standing],
    programs: dict[HeadId, str],
) -> Json:
    """Where the programs stand, in the form of design §6."""
    from core.scoring import program_of

    cards = [(head, program_of(source).id) for head, source in sorted(programs.items())]
    there = {card: known[card] for card in cards if card in known}
    rungs = Counter(standing.rung for standing in there.values())
    counts = {n: dict(Counter(s.finding.verdict for s in findings if s.audit == n)) for n in audits}
    return {
        "model": info.title,
        "mean_iou": _over(fmean, there, "iou"),
        "mean_twin": _over(fmean, there, "twin_iou"),
        "mean_off_sink": _over(fmean, there, "off_sink"),
        "median_output_error": _over(median, there, "output_error"),
        "median_foresight": _over(median, there, "foresight"),
        "verdicts": {rung: rungs[rung] for rung in RUNGS},
        "audits": counts,
        "heads": [
            {
                "layer": head.layer,
                "head": head.head,
                "program": programs[head],
                "iou": _known(standing.iou),
                **audit_figures(standing),
                "why": standing.why,
                "fails": list(standing.fails),
            }
            for (head, _), standing in there.items()
        ],
    }


def _over(mean: Callable[[list[float]], float], there: dict[CardId, Standing], figure: str) -> float | None:
    """A mean over the heads of which the figure is known."""
    values = [value for standing in there.values() if not math.isnan(value := getattr(standing, figure))]
    return mean(values) if values else None


def _rows(stored: StoredFinding) -> list[Json]:
    who = stored.subject if isinstance(stored.subject, str) else str(stored.subject[0])
    common = {"audit": stored.audit, "of": who, "verdict": stored.finding.verdict}
    if not stored.finding.figures:
        return [{**common, "figure": stored.finding.note, "value": None, "low": None, "high": None}]
    return [
        {
            **common,
            "figure": figure.name,
            "value": figure.estimate.value,
            "low": _known(figure.estimate.low),
            "high": _known(figure.estimate.high),
        }
        for figure in stored.finding.figures
    ]


def _known(bound: float) -> float | None:
    return None if math.isnan(bound) else bound

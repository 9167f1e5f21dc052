"""The table of audits: ours and those of installed packages, and what can be asked of it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from core.audit.alive import ALIVE
from core.audit.by_genre import BY_GENRE
from core.audit.contract import Audit, Of
from core.audit.controls import CONTROLS
from core.audit.coverage import COVERAGE
from core.audit.cues import CUES
from core.audit.damage import DAMAGE
from core.audit.foresight import FORESEES
from core.audit.keep_and_drop import KEEP_AND_DROP
from core.audit.load_bearing import LOAD_BEARING
from core.audit.lookahead import LOOKAHEAD
from core.audit.off_sink import OFF_THE_SINK
from core.audit.promise import PROMISE
from core.audit.questions import QUESTIONS
from core.audit.ranks import RANKS
from core.audit.rules import RULES
from core.audit.second_try import SECOND_TRY
from core.audit.six import SIX
from core.audit.slack import SLACK
from core.audit.sum_and_whole import SUM_AND_WHOLE
from core.audit.text_blind import TEXT_BLIND
from core.audit.untrained import UNTRAINED
from core.audit.whose import WHOSE
from core.audit.written import WRITTEN
from core.doors import Door
from core.errors import AuditError

AUDITS: Door[Audit[Any, Any]] = Door(
    "audit",
    COVERAGE,
    TEXT_BLIND,
    OFF_THE_SINK,
    WRITTEN,
    FORESEES,
    PROMISE,
    ALIVE,
    LOAD_BEARING,
    RULES,
    CUES,
    BY_GENRE,
    WHOSE,
    SLACK,
    KEEP_AND_DROP,
    RANKS,
    SECOND_TRY,
    UNTRAINED,
    SIX,
    LOOKAHEAD,
    DAMAGE,
    CONTROLS,
    SUM_AND_WHOLE,
    QUESTIONS,
)


def ready(of: Of, is_causal: bool = True, is_resolved: bool = False) -> dict[str, object]:
    """The audits of programs, or of hybrids, that need to be told nothing, each with its usual limits."""
    usual = {
        audit.name: (audit, audit.limits())
        for audit in AUDITS.values()
        if audit.of == of
        and audit.is_usual
        and (is_causal or not audit.needs_next_tokens)
        and (audit.is_resolvable or not is_resolved)
    }
    return {name: limits for name, (audit, limits) in usual.items() if not audit.lacks(limits)}


def checked(name: str, limits: object, of: Of) -> Any:
    """The limits as a job takes them, paths whole; raises AuditError or PluginError if it cannot run so."""
    audit = AUDITS.named(name)
    if audit.of != of:
        others = ", ".join(other.name for other in AUDITS.values() if other.of == of)
        raise AuditError(f"{name} is an audit of a {audit.of}, not of a {of}; there are {others}")
    if not isinstance(limits, audit.limits):
        wanted, given = audit.limits.__name__, type(limits).__name__
        raise AuditError(f"{name} takes its limits as {wanted}, not as {given}")
    if missing := audit.lacks(limits):
        raise AuditError(f"{name} lacks something: {missing}")
    given_paths = {field.name: getattr(limits, field.name) for field in fields(audit.limits)}
    return replace(limits, **{n: p.resolve() for n, p in given_paths.items() if isinstance(p, Path)})

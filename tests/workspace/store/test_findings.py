"""Findings of audits: kept per audit and subject, the newest wins."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.audit import Figure, Finding, Shaded
from core.store import Workspace
from core.store.findings import StoredFinding, add_finding
from core.types import Estimate, HeadId

HEAD = HeadId(1, 2)
WHOLE = Finding(
    "fails",
    "Why.",
    (Figure("IoU", Estimate(0.5, 0.4, 0.6)), Figure("cost", Estimate(float("inf")), "nats")),
    ("token", "times", "share"),
    (("a", 1, 0.5), ("b", None, 1.0)),
    (Shaded(("<b>", " x"), (0.0, -1.5), "first"),),
)
STORED = StoredFinding("coverage", (HEAD, "p1"), {"failing": 0.02}, 10.0, WHOLE)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path)
    yield opened
    opened.close()


def add(workspace: Workspace, *stored: StoredFinding) -> None:
    with workspace.database.transaction() as cursor:
        for one in stored:
            add_finding(cursor, "m", one)


def test_a_finding_comes_back_as_it_was(workspace: Workspace) -> None:
    of_hybrid = replace(STORED, audit="damage", subject="h1")
    add(workspace, STORED, of_hybrid)
    (program,) = workspace.findings.of_program("m", HEAD, "p1")
    assert repr(program) == repr(STORED)  # an interval that is not known is nan
    (hybrid,) = workspace.findings.of_hybrid("m", "h1")
    assert repr(hybrid) == repr(of_hybrid)
    assert workspace.findings.of_program("other", HEAD, "p1") == []


def test_the_newest_finding_wins_whenever_it_arrives(workspace: Workspace) -> None:
    newer = replace(STORED, made_at=20.0, finding=replace(WHOLE, verdict="passes"), limits={"failing": 0.5})
    add(workspace, newer, STORED)
    (kept,) = workspace.findings.of_program("m", HEAD, "p1")
    assert (kept.finding.verdict, kept.limits, kept.made_at) == ("passes", {"failing": 0.5}, 20.0)


def test_an_audit_is_listed_by_head(workspace: Workspace) -> None:
    subjects = [(HeadId(2, 0), "p"), (HeadId(0, 1), "q"), (HeadId(0, 1), "p")]
    add(workspace, *(replace(STORED, subject=subject) for subject in subjects))
    assert [s.subject for s in workspace.findings.of_audit("m", "coverage")] == sorted(subjects)


def test_what_was_found_resolved_is_kept_beside_and_holds_for_its_chain_alone(workspace: Workspace) -> None:
    resolved = replace(STORED, chain="c1", finding=replace(WHOLE, verdict="passes"))
    add(workspace, STORED, resolved)
    card = STORED.subject
    assert not isinstance(card, str)
    given = workspace.findings.of_programs("m")
    assert given[card]["coverage"].finding.verdict == "fails"
    (alone,) = workspace.findings.of_program("m", *card)
    assert alone.finding.verdict == "fails"
    assert workspace.findings.of_programs("m", {card: "c1"})[card]["coverage"].finding.verdict == "passes"
    assert workspace.findings.of_programs("m", {card: "c2"}) == {}  # a program that it rests on has changed

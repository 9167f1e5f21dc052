"""The audit of docs/extending.md: one file, registered as a package would; options and job follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_type_hints

import pytest
from cyclopts import Group

from core.audit import AUDITS, Audit, Figure, Finding, ProgramSubject, at_most, checked, ready
from core.cli.options import made_of, options_of
from core.errors import PluginError
from core.jobs.tasks import AskedAudit
from core.jobs.work.audit import known
from core.scoring.intervals import mean_estimate
from core.types import Bounds, Estimate, Told, option
from core.wire import plain
from tests.conftest import TinyLoaded
from tests.pure.audit.test_audits import FAILS, UNIFORM, Quiet, program_subject


@dataclass(frozen=True)
class MisfitLimits:
    most: float = option(0.6, "1 - IoU that is allowed", Bounds(0, 1))


def run(subject: ProgramSubject, limits: MisfitLimits, told: Told) -> Finding:
    ious = subject.tested.examiner.compare(subject.head, subject.program).ious
    misfit = mean_estimate(1 - ious)
    return Finding(at_most(misfit, limits.most), "What the program leaves out.", (Figure("misfit", misfit),))


MISFIT = Audit("misfit", "Misfit", "How much does the program leave out?", "program", MisfitLimits, run)


@pytest.fixture
def table() -> Iterator[None]:
    """The table with the new audit, for one test."""
    AUDITS.add(MISFIT)
    yield
    AUDITS._entries.pop("misfit")


@pytest.mark.usefixtures("table")
def test_a_new_audit_is_listed_asked_and_run(tiny_loaded: TinyLoaded) -> None:
    assert "misfit" in ready("program")
    limits = made_of(MisfitLimits, {"most": 0.0}, "misfit")
    asked = AskedAudit("misfit", plain(checked("misfit", limits, "program")))
    audit, read = known(asked)
    assert (audit, read) == (MISFIT, MisfitLimits(0.0))
    subject = program_subject(tiny_loaded("gpt2"), FAILS)
    finding = audit.run(subject, read, Quiet())
    ious = subject.tested.examiner.compare(subject.head, subject.program).ious
    assert finding.verdict == "fails"
    assert finding.figure("misfit").value == pytest.approx(1 - ious.mean())
    with pytest.raises(PluginError, match="already"):
        AUDITS.add(MISFIT)


def test_its_limits_are_options() -> None:
    made = options_of({Group("Options of misfit"): MisfitLimits})
    assert "most" in get_type_hints(made.__origin__.__args__[0])


def test_how_far_a_verdict_goes_follows_from_its_limits(tiny_loaded: TinyLoaded) -> None:
    subject = program_subject(tiny_loaded("gpt2"), UNIFORM)
    assert run(subject, MisfitLimits(1.0), Quiet()).verdict == "passes"
    assert at_most(Estimate(0.5, 0.4, 0.7), 0.6) == "cannot tell"

"""The ladder: rungs in their order, each with its reason, corrected for how many are judged."""

import math
from dataclasses import replace

import pytest

from core.audit import Figure, Finding, standings, twins
from core.audit.contract import AuditVerdict
from core.audit.ladder import chance, passing
from core.types import Estimate, HeadId


def finding(verdict: AuditVerdict, note: str = "", **figures: Estimate) -> Finding:
    named = tuple(Figure(name.replace("_", " ").replace("twins", "twin's"), e) for name, e in figures.items())
    return Finding(verdict, note, named)


CLEAR, UNCLEAR, UNKNOWN = Estimate(0.2, 0.18, 0.22), Estimate(0.01, -0.05, 0.07), Estimate(math.nan)


def findings(
    twin: Estimate = CLEAR, written: Estimate = CLEAR, foresight: Estimate = CLEAR
) -> dict[str, Finding]:
    return {
        "twin": finding(
            "passes", ("why twin"), IoU=Estimate(0.7), IoU_of_the_twin=Estimate(0.5), IoU_beyond_the_twin=twin
        ),
        "written": finding(
            "passes", ("why written"), output_error=Estimate(0.3), output_error_below_the_twins=written
        ),
        "foresight": finding("passes", foresight=foresight),
    }


@pytest.mark.parametrize(
    ("found", "rung", "why"),
    [
        (findings(), "explains", "IoU 0.70, twin 0.50, output error 0.30, foresight 0.20"),
        (findings(foresight=UNCLEAR), "fits, does not foresee", "foresight 0.01"),
        (findings(foresight=UNKNOWN), "fits, does not foresee", "foresight unknown"),
        (findings(written=UNCLEAR), "position only", "its twin writes nearer"),
        (findings(twin=UNCLEAR), "position only", "not clearly more than position"),
        (findings(twin=Estimate(0.002, 0.001, 0.003)), "position only", "not clearly more than position"),
        (findings(twin=UNKNOWN), "untestable", "why twin"),
        (findings(written=UNKNOWN), "untestable", "why written"),
        (
            findings() | {("alive"): finding("fails", ("it writes next to nothing"))},
            ("untestable"),
            ("next to nothing"),
        ),
        (
            findings()
            | {
                ("written"): finding(
                    "fails", (), output_error=Estimate(0.8), output_error_below_the_twins=CLEAR
                )
            },
            ("position only"),
            ("the IoU hides"),
        ),
    ],
)
def test_a_program_stands_where_it_first_fails(found: dict[str, Finding], rung: str, why: str) -> None:
    (standing,) = standings({"a": found}).values()
    assert standing.rung == rung
    assert why in standing.why


def test_a_program_that_was_not_wholly_audited_stands_nowhere() -> None:
    assert standings({"a": {"coverage": finding("passes")}}) == {}


def test_among_many_heads_a_lucky_one_does_not_pass() -> None:
    lucky = Estimate(0.03, 0.0105, 0.0495)  # clearly above 0.01 if it were alone
    alone = standings({"a": findings(foresight=lucky)})
    among = standings(
        {("a"): findings(foresight=lucky), **{str(at): findings(foresight=UNCLEAR) for at in range(50)}}
    )
    assert alone["a"].rung == "explains"
    assert among["a"].rung == "fits, does not foresee"


def test_passing_follows_benjamini_and_hochberg() -> None:
    chances = [0.01, 0.04, 0.03, 0.005, 0.5]  # thresholds 0.01 0.02 0.03 0.04 0.05
    assert passing(chances) == [True, True, True, True, False]
    assert passing([0.02, 0.9, 0.9, 0.9]) == [False] * 4
    assert passing([]) == []


def test_chances_come_from_intervals() -> None:
    assert chance(Estimate(1.96, 0, 3.92), 0) == pytest.approx(0.025, abs=1e-3)
    assert chance(Estimate(0.01, -1, 1)) == 0.5
    assert [chance(Estimate(1, 1, 1)), chance(Estimate(0, 0, 0)), chance(UNKNOWN)] == [0, 1, 1]


def test_a_standing_says_what_it_takes_for_given() -> None:
    found = findings()
    found["twin"] = replace(found["twin"], given="the attention of L0H1")
    (standing,) = standings({"a": found}).values()
    assert standing.why.endswith("; given the attention of L0H1")
    assert standing.given == "the attention of L0H1"


def test_a_heads_twin_is_known_from_whichever_of_its_programs_was_audited() -> None:
    known = Finding("passes", figures=(Figure("IoU of the twin, validation", Estimate(0.4)),))
    found = {
        (HeadId(0, 0), "a"): {"twin": known},
        (HeadId(0, 1), "a"): {"twin": Finding("passes")},  # audited before there was this figure
        (HeadId(0, 2), "b"): {"coverage": known},
    }
    assert twins(found) == {HeadId(0, 0): 0.4}

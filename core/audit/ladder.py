"""The ladder: what the audits of a head's program come to, as a word with its reason.

A program climbs from rung to rung and has to earn each: *untestable* (the head does too little, or anything
would do, or too little is known) -> *position only* (it is not clearly better than the text-blind twin, in
what it attends to and in what is written) -> *fits, does not foresee* -> *explains*. Where programs of many
heads are judged together, those that pass by luck are kept to one in twenty (Benjamini-Hochberg).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from core.audit import foresight, known, off_sink, promise, text_blind, written
from core.audit.contract import Finding
from core.types import CardId, Estimate, HeadId

RungName = Literal["untestable", "position only", "fits, does not foresee", "explains"]
RUNGS: tuple[RungName, ...] = ("untestable", "position only", "fits, does not foresee", "explains")
LEVEL = 0.05  # share of passing programs that may have passed by luck
_TESTED = (  # audit, and the figure that has to lie above known.LEAST
    ("twin", text_blind.BEYOND),
    ("written", written.BELOW),
    ("foresight", foresight.FORESIGHT),
)
_GATES = ("alive", "load-bearing")  # audits without which nothing can be said, where they were run
_STANDARD_ERRORS = 2 * 1.96  # in the width of a 95 % interval

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Standing:
    """How far a program climbed, why no further, which audits it fails, and the figures that say so."""

    rung: RungName
    why: str  # with its numbers
    fails: tuple[str, ...] = ()  # Audit.name
    iou: float = math.nan  # nan where it is not known, as in all that follow
    twin_iou: float = math.nan
    off_sink: float = math.nan
    output_error: float = math.nan
    foresight: float = math.nan
    promise: float = math.nan  # the IoU that 9 of 10 fresh passages reach
    given: str = ""  # what the program takes for given, such as heads that it looks at

    @property
    def explains(self) -> bool:
        """Whether it climbed to the top."""
        return self.rung == "explains"


def standings(findings: Mapping[Key, Mapping[str, Finding]]) -> dict[Key, Standing]:
    """Where every program stands whose first audits are there, from its findings by audit.

    Each test is corrected for how many programs take it.
    """
    whole = {key: found for key, found in findings.items() if all(audit in found for audit, _ in _TESTED)}
    passed: dict[Key, set[str]] = {key: set() for key in whole}
    for audit, name in _TESTED:
        chances = [chance(_figure(found[audit], name)) for found in whole.values()]
        for key, passes in zip(whole, passing(chances), strict=True):
            if passes:
                passed[key].add(audit)
    return {key: _standing(found, passed[key]) for key, found in whole.items()}


def twins(findings: Mapping[CardId, Mapping[str, Finding]]) -> dict[HeadId, float]:
    """IoU on validation of each head's twin, where it is known; the same whichever program was audited."""
    found = {
        head: _figure(of_card["twin"], text_blind.HELD_OUT).value
        for (head, _), of_card in findings.items()
        if "twin" in of_card
    }
    return {head: value for head, value in found.items() if not math.isnan(value)}


def _standing(found: Mapping[str, Finding], passed: set[str]) -> Standing:
    rung, why = _place(found, passed)
    given = found["twin"].given
    return Standing(
        rung,
        f"{why}; given {given}" if given else why,
        tuple(sorted(audit for audit, finding in found.items() if finding.verdict == "fails")),
        _value(found, "twin", text_blind.IOU),
        _value(found, "twin", text_blind.TWIN),
        _value(found, "off-sink", off_sink.OFF_SINK),
        _value(found, "written", written.ERROR),
        _value(found, "foresight", foresight.FORESIGHT),
        _value(found, "promise", promise.REACHED),
        given,
    )


def _place(found: Mapping[str, Finding], passed: set[str]) -> tuple[RungName, str]:
    for gate in _GATES:
        if gate in found and found[gate].verdict == "fails":
            return "untestable", found[gate].note
    unknown = _figure(found["twin"], text_blind.BEYOND), _figure(found["written"], written.BELOW)
    if any(math.isnan(figure.low) for figure in unknown):
        which = "twin" if math.isnan(unknown[0].low) else "written"
        return "untestable", found[which].note
    iou, twin = (_value(found, "twin", name) for name in (text_blind.IOU, text_blind.TWIN))
    beyond = f"IoU {iou:.2f}, twin {twin:.2f}"
    error = f"output error {_value(found, 'written', written.ERROR):.2f}"
    if "twin" not in passed:
        return "position only", f"{beyond}: not clearly more than position tells"
    if "written" not in passed:
        return "position only", f"{beyond}, but {error}: its twin writes nearer, or as near, to the head"
    if found["written"].verdict == "fails":
        return "position only", f"{beyond}, but {error}: the IoU hides what is written differently"
    foresees = _figure(found["foresight"], foresight.FORESIGHT)
    if "foresight" not in passed or found["foresight"].verdict == "fails":
        said = "unknown" if math.isnan(foresees.value) else f"{foresees.value:.2f}"
        return "fits, does not foresee", f"{beyond}, {error}; foresight {said}"
    return "explains", f"{beyond}, {error}, foresight {foresees.value:.2f}"


def chance(figure: Estimate, least: float = known.LEAST) -> float:
    """The chance that a figure that is truly `least` comes out so far above it; 1 if it is not known."""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return 1.0
    error = (figure.high - figure.low) / _STANDARD_ERRORS
    if error == 0:
        return 0.0 if figure.value > least else 1.0
    return math.erfc((figure.value - least) / error / math.sqrt(2)) / 2


def passing(chances: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which pass so that of those no more than `level` are expected to by luck (Benjamini-Hochberg 1995)."""
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    last = max(
        (place for place, at in enumerate(order, 1) if chances[at] <= level * place / len(chances)),
        default=0,
    )
    among = set(order[:last])
    return [at in among for at in range(len(chances))]


def _figure(finding: Finding, name: str) -> Estimate:
    return next((figure.estimate for figure in finding.figures if figure.name == name), known.UNKNOWN)


def _value(found: Mapping[str, Finding], audit: str, name: str) -> float:
    return _figure(found[audit], name).value if audit in found else math.nan

"""What the pages of a site say, read from the workspace."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.audit import AUDITS, Standing
from core.language import Reference, parse, references
from core.review import Circuit, Opinions
from core.sharing.circuit import circuit_of
from core.sharing.sheet import finding_html
from core.sharing.site.plan import SitePlan
from core.store import Workspace
from core.types import Action, Card, CardId, HeadId, Split, Verdict

ACTIONS = {Action.ACCEPT: "accepted", Action.REJECT: "rejected", Action.FLAG: "flagged"}
HYBRIDS = "hybrids"


@dataclass(frozen=True)
class HeadEntry:
    """A head as the map, the list and its page show it."""

    card: Card
    verdict: str  # accepted, disputed, rejected or undecided
    standing: Standing | None
    order: tuple[str, str]  # the heads before and after it, by name; "" at the ends

    @property
    def name(self) -> str:
        """`L7H3`."""
        return str(self.card.head)

    @property
    def rung(self) -> str:
        """How far its program climbed the ladder of audits."""
        return "not audited" if self.standing is None else self.standing.rung

    @property
    def iou(self) -> float:
        """On test, given the heads that it looks at."""
        return self.card.iou(Split.TEST)

    @property
    def lift(self) -> float:
        """On test."""
        return self.card.lift(Split.TEST)

    @property
    def resolved(self) -> float | None:
        """On test, where it is known."""
        found = self.card.resolved_iou(Split.TEST)
        return None if math.isnan(found) else found

    @property
    def fits(self) -> list[tuple[str, str]]:
        """Each split's IoU with its interval, in words."""
        return [
            (str(split), f"{fit.value:.3f} [{fit.low:.3f}, {fit.high:.3f}]")
            for split, fit in self.card.fits.items()
        ]

    @property
    def looks(self) -> tuple[Reference, ...]:
        """The heads that the program looks at, the strongest first."""
        return tuple(sorted(references(parse(self.card.program.source)), key=lambda one: -one.strength))


class Content:
    """What a planned site says; each part is read once."""

    def __init__(self, workspace: Workspace, plan: SitePlan) -> None:
        self._workspace = workspace
        self.plan = plan
        self.model = plan.model

    @cached_property
    def entries(self) -> list[HeadEntry]:
        """Every head that has a page with a program, in order."""
        decided = self._workspace.verdicts.decided(self.model.id)
        standings = self._workspace.findings.standings(self.model.id)
        names = ["", *(str(card.head) for card in self.plan.cards), ""]
        return [
            HeadEntry(
                card,
                self._verdict(card, decided),
                standings.get(card.id),
                (names[at], names[at + 2]),
            )
            for at, card in enumerate(self.plan.cards)
        ]

    def _verdict(self, card: Card, decided: Mapping[HeadId, Verdict]) -> str:
        if card.head not in decided:
            return "undecided"
        if card.id in self.opinions.disputed:
            return "disputed"
        return ACTIONS[decided[card.head].action]

    @cached_property
    def opinions(self) -> Opinions:
        """Every reviewer's word."""
        return Opinions(self._workspace.verdicts.opinions(self.model.id))

    @cached_property
    def circuit(self) -> Circuit:
        """Who looks at whom."""
        return circuit_of(self._workspace, self.model, self.plan.cards)

    @cached_property
    def findings(self) -> dict[CardId, list[tuple[str, str, Markup]]]:
        """Every program's audits: title, verdict, and all of it as HTML."""
        return {
            card: [
                (_title(name), str(stored.finding.verdict), Markup(finding_html(name, stored.finding)))
                for name, stored in found.items()
            ]
            for card, found in self._workspace.findings.of_programs(self.model.id).items()
        }

    @cached_property
    def reviewers(self) -> dict[str, str]:
        """How each reviewer is called on the site."""
        names = dict.fromkeys(word.reviewer for word in self._words)
        if self.plan.options.names:
            return {name: name for name in names}
        return {name: f"reviewer {number}" for number, name in enumerate(names, 1)}

    @cached_property
    def _words(self) -> list[Verdict]:
        return [word for word in self._workspace.verdicts.opinions(self.model.id) if word.action in ACTIONS]

    @cached_property
    def decisions(self) -> list[dict[str, str]]:
        """What every reviewer decided of every program, in the order of heads."""
        shown = {card.id for card in self.plan.cards}
        programs = (
            {program.id: program for program in self._workspace.library.programs()} if self._words else {}
        )
        return [
            {
                "head": str(word.head),
                "word": ACTIONS[word.action],
                "who": self.reviewers[word.reviewer],
                "reason": word.reason,
                "note": word.note if self.plan.options.names else "",
                "day": word.at[:10],
                "program": word.program,
                "source": programs[word.program].source if word.program in programs else "",
                "shown": "yes" if (word.head, word.program) in shown else "",
            }
            for word in sorted(self._words, key=lambda one: (one.head, one.event))
        ]  # fmt: skip

    def decisions_on(self, card: Card) -> list[dict[str, str]]:
        """Those on one program of one head."""
        name, program = str(card.head), card.program.id
        return [one for one in self.decisions if one["head"] == name and one["program"] == program]

    @cached_property
    def hybrids(self) -> list[dict[str, Any]]:
        """Every hybrid with its measurements, the newest first."""
        frame = self._workspace.hybrids.frame(self.model.id)
        found: dict[str, dict[str, Any]] = {}
        for row in frame.to_dict("records"):
            name = str(row["hybrid_id"])
            hybrid = found.setdefault(
                name, {"id": name, "title": row["title"], "heads": int(row["heads"]), "share": row["share"],
                       "rows": []}
            )  # fmt: skip
            if not math.isnan(row["kl"]):
                hybrid["rows"].append(row | {"passages_from": Path(str(row["passages_from"])).name})
        return list(found.values())

    @cached_property
    def corpus(self) -> list[tuple[str, dict[str, int]]]:
        """How many passages of each genre are in each split."""
        counts: dict[str, Counter[str]] = {}
        for sentence in self._workspace.models.sentences(self.model.id):
            counts.setdefault(sentence.genre, Counter())[str(sentence.split)] += 1
        return [(genre, dict(counts[genre])) for genre in sorted(counts)]

    @cached_property
    def summary(self) -> list[tuple[str, str, str]]:
        """The figures at the top of the first page: name, value, note."""
        heads, entries = len(self.model.head_ids()), self.entries
        known = [one.resolved for one in entries if one.resolved is not None]
        found = [
            ("heads with a program", f"{len(entries)}", f"of {heads}"),
            ("mean IoU, test", _mean([one.iou for one in entries]), "given the heads looked at"),
        ]
        if len(known) == len(entries) and any(one.card.looks for one in entries):
            found.append(("mean resolved IoU", _mean(known), "their programs instead"))
        found.append(("mean lift", _mean([one.lift for one in entries], "+"), "over the best baseline"))
        rungs = Counter(one.rung for one in entries)
        if set(rungs) != {"not audited"}:
            found.append(("explained", f"{rungs['explains']}", "say the audits"))
        accepted = sum(one.verdict == "accepted" for one in entries)
        found.append(
            ("accepted", f"{accepted}", f"of {sum(one.verdict != 'undecided' for one in entries)} reviewed")
        )
        if self.hybrids:
            most = max(one["heads"] for one in self.hybrids)
            found.append(("most replaced", f"{most}", "heads in a hybrid"))
        return found


def _mean(values: Sequence[float], sign: str = "") -> str:
    return format(sum(values) / max(1, len(values)), f"{sign}.3f")


def _title(audit: str) -> str:
    return AUDITS[audit].title if audit in AUDITS else audit  # else its package is gone

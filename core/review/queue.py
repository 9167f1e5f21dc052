"""The review queue: which cards wait for a reviewer, in which order, and which comes after which.

Only figures of the validation split order and filter cards; the test split is shown, never used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.types import Action, Card, HeadId, Split, Verdict

DECISIONS = (Action.ACCEPT, Action.REJECT)
REASONS = (
    "trivial",
    "wrong here",
    "overfitted",
    "unreadable",
    "false docstring",
    "too weak",
    "too long",
    "redundant",
    "other",
)
Pair = tuple[HeadId, str]  # a head and Program.id


class Pile(StrEnum):
    """Which cards a reviewer goes through."""

    NEW = "new"  # heads that nobody has decided
    SECOND = "second opinion"  # programs that others decided and this reviewer did not
    FLAGGED = "flagged"  # by anyone, and not decided since
    ALL = "all heads"


class Order(StrEnum):
    """What comes first."""

    LIFT = "highest lift first"
    UNCERTAIN = "most uncertain first"
    CHEAP = "cheapest to replace first"
    CATEGORY = "by category"


@dataclass(frozen=True)
class Filter:
    """Which cards are left out; an empty set leaves out none."""

    categories: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    layers: tuple[int, int] | None = None  # first and last
    least_iou: float = 0.0  # on validation
    without_lookahead: bool = False

    def keeps(self, card: Card) -> bool:
        """Whether a card passes."""
        return (
            (not self.categories or card.category in self.categories)
            and (not self.origins or card.origin in self.origins)
            and (self.layers is None or self.layers[0] <= card.head.layer <= self.layers[1])
            and card.iou(Split.VALIDATION) >= self.least_iou
            and not (self.without_lookahead and card.lookahead)
        )


@dataclass(frozen=True)
class View:
    """A reviewer's settings, and the card in front of them."""

    pile: Pile = Pile.NEW
    order: Order = Order.LIFT
    kept: Filter = field(default_factory=Filter)
    is_blind: bool = False
    card: Pair | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        kept = asdict(self.kept) | {
            "categories": sorted(self.kept.categories),
            "origins": sorted(self.kept.origins),
        }
        card = None if self.card is None else {"head": str(self.card[0]), "program": self.card[1]}
        return {
            "pile": str(self.pile),
            "order": str(self.order),
            "kept": kept,
            "is_blind": self.is_blind,
            "card": card,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> View:
        """The view that `to_json` wrote."""
        kept, card = found["kept"], found["card"]
        layers = kept["layers"]
        return cls(
            pile=Pile(found["pile"]),
            order=Order(found["order"]),
            kept=replace(
                Filter(**kept),
                categories=frozenset(kept["categories"]),
                origins=frozenset(kept["origins"]),
                layers=None if layers is None else (layers[0], layers[1]),
            ),
            is_blind=found["is_blind"],
            card=None if card is None else (HeadId.parse(card["head"]), card["program"]),
        )


def pair(card: Card) -> Pair:
    """What names a card."""
    return card.head, card.program.id


class Opinions:
    """Every reviewer's word on each program of each head."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self.of: dict[Pair, dict[str, Verdict]] = {}
        self._put_off: dict[tuple[HeadId, str], int] = {}
        for verdict in verdicts:
            self.of.setdefault((verdict.head, verdict.program), {})[verdict.reviewer] = verdict
            if verdict.action not in DECISIONS:
                of_head = verdict.head, verdict.reviewer
                self._put_off[of_head] = max(verdict.event, self._put_off.get(of_head, 0))
        actions = {found: {word.action for word in words.values()} for found, words in self.of.items()}
        self.accepted = {head for (head, _), taken in actions.items() if Action.ACCEPT in taken}
        self.decided = {found for found, taken in actions.items() if taken & set(DECISIONS)}
        self.flagged = {found for found, taken in actions.items() if Action.FLAG in taken} - self.decided

    def reasons(self) -> Counter[str]:
        """How often each reason stands behind a reject."""
        words = (word for found in self.of.values() for word in found.values())
        return Counter(word.reason for word in words if word.action == Action.REJECT and word.reason)

    def by(self, reviewer: str, card: Card) -> Verdict | None:
        """The reviewer's own word on a card."""
        return self.of.get(pair(card), {}).get(reviewer)

    def put_off(self, reviewer: str, head: HeadId) -> int:
        """The reviewer's latest skip or flag of a program of the head, as an event; 0 if there is none."""
        return self._put_off.get((head, reviewer), 0)

    def is_decided(self, card: Card) -> bool:
        """Whether anyone accepted or rejected the card, or accepted another program of its head."""
        return pair(card) in self.decided or card.head in self.accepted

    def decided_by_others(self, reviewer: str) -> list[Pair]:
        """What others accepted or rejected and this reviewer did not."""
        return [
            found
            for found in self.of
            if found in self.decided
            and not (reviewer in self.of[found] and self.of[found][reviewer].action in DECISIONS)
        ]


def review_queue(
    best: Sequence[Card], second: Sequence[Card], opinions: Opinions, reviewer: str, view: View
) -> list[Card]:
    """The cards of a view in order; heads that the reviewer skipped or flagged come last, in that order.

    `best` holds every head's best program, `second` the cards of `opinions.decided_by_others(reviewer)`.
    """
    match view.pile:
        case Pile.NEW:
            found = [card for card in best if not opinions.is_decided(card)]
        case Pile.SECOND:
            found = list(second)
        case Pile.FLAGGED:
            found = [card for card in best if pair(card) in opinions.flagged]
        case Pile.ALL:
            found = list(best)
    kept = sorted((card for card in found if view.kept.keeps(card)), key=_KEYS[view.order])
    if view.pile in (Pile.ALL, Pile.FLAGGED) or not opinions.of:
        return kept
    return sorted(kept, key=lambda card: opinions.put_off(reviewer, card.head))


def _spread(card: Card) -> float:
    fit = card.fits.get(Split.VALIDATION)
    return fit.high - fit.low if fit is not None else 0.0


def _price(card: Card) -> tuple[bool, float]:
    """Estimated cost where there is one; else the better a program fits, the less it should cost."""
    return card.cost is None, -card.iou(Split.VALIDATION) if card.cost is None else card.cost


_KEYS = {
    Order.LIFT: lambda card: (-card.lift(Split.VALIDATION), card.head),
    Order.UNCERTAIN: lambda card: (-_spread(card), card.head),
    Order.CHEAP: lambda card: (*_price(card), card.head),
    Order.CATEGORY: lambda card: (card.category, -card.lift(Split.VALIDATION), card.head),
}


def successor(before: Sequence[Card], after: Sequence[Card], head: HeadId) -> Card | None:
    """The card of `after` that follows `head` in `before`; the first if none does, None if there is none."""
    left = {card.head: card for card in after}
    heads = [card.head for card in before]
    at = heads.index(head) + 1 if head in heads else 0
    following = [left[other] for other in heads[at:] if other in left and other != head]
    return following[0] if following else next(iter(after), None)

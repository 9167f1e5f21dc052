"""The review queue: which cards wait for a reviewer, in which order, and which comes after which.

Only figures of the validation split order and filter cards; the test split is shown, never used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.review.opinions import Opinions
from core.types import Card, CardId, HeadId, Split


class Pile(StrEnum):
    """Which cards a reviewer goes through."""

    NEW = "new"  # heads that nobody has decided
    SECOND = "second opinion"  # programs that others judged and this reviewer did not
    DISPUTED = "disputed"  # programs that one accepted and another rejected; a decision here is final
    FLAGGED = "flagged"  # by anyone, and not decided since
    MINE = "mine"  # what this reviewer decided
    ACCEPTED = "accepted"  # the latest decision on the program stands, whoever made it
    REJECTED = "rejected"
    ALL = "all heads"


DECIDED = (Pile.MINE, Pile.ACCEPTED, Pile.REJECTED)


class QueueOrder(StrEnum):
    """What comes first."""

    LIFT = "highest lift first"
    TWIN = "highest lift over the twin first"
    RESOLVED = "highest resolved IoU first"
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
    heads: frozenset[HeadId] = frozenset()

    def keeps(self, card: Card) -> bool:
        """Whether a card passes."""
        return (
            (not self.categories or card.category in self.categories)
            and (not self.origins or card.origin in self.origins)
            and (not self.heads or card.head in self.heads)
            and (self.layers is None or self.layers[0] <= card.head.layer <= self.layers[1])
            and card.iou(Split.VALIDATION) >= self.least_iou
            and not (self.without_lookahead and card.lookahead)
        )


@dataclass(frozen=True)
class View:
    """A reviewer's settings, and the card in front of them."""

    pile: Pile = Pile.NEW
    order: QueueOrder = QueueOrder.LIFT
    kept: Filter = field(default_factory=Filter)
    is_blind: bool = False
    card: CardId | None = None
    drafts: tuple[tuple[CardId, str], ...] = ()  # changed programs that are not saved yet, by their card

    @property
    def sorts(self) -> View:
        """The same without what does not tell which cards wait, and in which order."""
        return replace(self, card=None, is_blind=False, drafts=())

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        kept = asdict(self.kept) | {
            "categories": sorted(self.kept.categories),
            "origins": sorted(self.kept.origins),
            "heads": [str(head) for head in sorted(self.kept.heads)],
        }
        return {
            "pile": str(self.pile),
            "order": str(self.order),
            "kept": kept,
            "is_blind": self.is_blind,
            "card": None if self.card is None else _card_to_json(self.card),
            "drafts": [_card_to_json(card) | {"source": source} for card, source in self.drafts],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> View:
        """The view that `to_json` wrote."""
        kept, card = found["kept"], found["card"]
        layers = kept["layers"]
        return cls(
            pile=Pile(found["pile"]),
            order=QueueOrder(found["order"]),
            kept=replace(
                Filter(**kept),
                categories=frozenset(kept["categories"]),
                origins=frozenset(kept["origins"]),
                heads=frozenset(map(HeadId.parse, kept.get("heads", ()))),
                layers=None if layers is None else (layers[0], layers[1]),
            ),
            is_blind=found["is_blind"],
            card=None if card is None else _card_from_json(card),
            drafts=tuple((_card_from_json(one), one["source"]) for one in found.get("drafts", ())),
        )


def _card_to_json(card: CardId) -> dict[str, str]:
    return {"head": str(card[0]), "program": card[1]}


def _card_from_json(found: Mapping[str, str]) -> CardId:
    return HeadId.parse(found["head"]), found["program"]


def review_queue(
    best: Sequence[Card], second: Sequence[Card], opinions: Opinions, reviewer: str, view: View
) -> list[Card]:
    """The cards of a view in order; heads that the reviewer skipped or flagged come last, in that order.

    `best` holds every head's best program, `second` the cards of `opinions.judged_by_others(reviewer)`, of
    `opinions.disputed` or of `opinions.pile`.
    """
    match view.pile:
        case Pile.NEW:
            waiting = [card for card in best if not opinions.is_decided(card.head)]
        case Pile.SECOND | Pile.DISPUTED | Pile.MINE | Pile.ACCEPTED | Pile.REJECTED:
            waiting = list(second)
        case Pile.FLAGGED:
            waiting = [card for card in best if card.id in opinions.flagged]
        case Pile.ALL:
            waiting = list(best)
    kept = sorted((card for card in waiting if view.kept.keeps(card)), key=_KEYS[view.order])
    if view.pile in (Pile.ALL, Pile.FLAGGED, *DECIDED) or not opinions.of:
        return kept
    return sorted(kept, key=lambda card: opinions.put_off(reviewer, card.head))


def _spread(card: Card) -> float:
    fit = card.fits.get(Split.VALIDATION)
    return fit.high - fit.low if fit is not None else 0.0


def _falling(figure: float) -> float:
    """Rises as a figure falls; what is not known comes last."""
    return math.inf if math.isnan(figure) else -figure


def _price(card: Card) -> tuple[bool, float]:
    """Estimated cost where there is one; else the better a program fits, the less it should cost."""
    return card.cost is None, -card.iou(Split.VALIDATION) if card.cost is None else card.cost


_KEYS = {
    QueueOrder.LIFT: lambda card: (-card.lift(Split.VALIDATION), card.head),
    QueueOrder.TWIN: lambda card: (_falling(card.over_twin), card.head),
    QueueOrder.RESOLVED: lambda card: (_falling(card.resolved_iou(Split.VALIDATION)), card.head),
    QueueOrder.UNCERTAIN: lambda card: (-_spread(card), card.head),
    QueueOrder.CHEAP: lambda card: (*_price(card), card.head),
    QueueOrder.CATEGORY: lambda card: (card.category, -card.lift(Split.VALIDATION), card.head),
}


def successor(before: Sequence[Card], after: Sequence[Card], head: HeadId) -> Card | None:
    """The card of `after` that follows `head` in `before`; the first if none does, None if there is none."""
    left = {card.head: card for card in after}
    heads = [card.head for card in before]
    at = heads.index(head) + 1 if head in heads else 0
    following = [left[other] for other in heads[at:] if other in left and other != head]
    return following[0] if following else next(iter(after), None)

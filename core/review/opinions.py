"""What every reviewer said of every program, and which heads are decided by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from core.types import Action, Card, CardId, HeadId, Verdict

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
FINAL = "final word"  # begins the note on a decision that ends a dispute


class Opinions:
    """Every reviewer's word on each program of each head.

    `verdicts` holds one a reviewer and program; `decided` the heads that are decided, which is not for single
    words to say: on a program the latest decision stands, whoever made it.
    """

    def __init__(self, verdicts: Iterable[Verdict], decided: Collection[HeadId] = ()) -> None:
        self.of: dict[CardId, dict[str, Verdict]] = {}
        self.decided_heads = frozenset(decided)
        self._put_off: dict[tuple[HeadId, str], int] = {}
        for verdict in verdicts:
            self.of.setdefault((verdict.head, verdict.program), {})[verdict.reviewer] = verdict
            if verdict.action not in DECISIONS:
                of_head = verdict.head, verdict.reviewer
                self._put_off[of_head] = max(verdict.event, self._put_off.get(of_head, 0))
        actions = {card: {word.action for word in words.values()} for card, words in self.of.items()}
        self.judged = {card for card, taken in actions.items() if taken & set(DECISIONS)}  # by anyone
        self.disputed = {card for card, words in self.of.items() if _is_disputed(words)}
        self.flagged = {card for card, taken in actions.items() if Action.FLAG in taken} - self.judged

    def reasons(self) -> Counter[str]:
        """How often each reason stands behind a reject."""
        words = (word for of_card in self.of.values() for word in of_card.values())
        return Counter(word.reason for word in words if word.action == Action.REJECT and word.reason)

    def by(self, reviewer: str, card: Card) -> Verdict | None:
        """The reviewer's own word on a card."""
        return self.of.get(card.id, {}).get(reviewer)

    def by_reviewer(self, reviewer: str, card: CardId) -> Verdict | None:
        """The reviewer's own decision on a program of a head."""
        word = self.of.get(card, {}).get(reviewer)
        return word if word is not None and word.action in DECISIONS else None

    def in_words(self, card: CardId) -> str:
        """What each reviewer decided on a card: `Ada ✓ · Bob ✕ (too weak)`."""
        words = [word for word in self.of.get(card, {}).values() if word.action in DECISIONS]
        return " · ".join(
            f"{word.reviewer} {'✓' if word.action == Action.ACCEPT else '✕'}"
            + (f" ({word.reason})" if word.reason else "")
            for word in words
        )

    def put_off(self, reviewer: str, head: HeadId) -> int:
        """The reviewer's latest skip or flag of a program of the head, as an event; 0 if there is none."""
        return self._put_off.get((head, reviewer), 0)

    def is_decided(self, head: HeadId) -> bool:
        """Whether a program of the head stands accepted, or its best program rejected."""
        return head in self.decided_heads

    def standing(self, card: CardId) -> Verdict | None:
        """The decision that stands on a program: the latest, whoever made it."""
        decisions = [word for word in self.of.get(card, {}).values() if word.action in DECISIONS]
        return decisions[-1] if decisions else None

    def pile(self, name: str, reviewer: str) -> list[CardId]:
        """The programs that the reviewer decided (`mine`), or that stand `accepted` or `rejected`."""
        if name == "mine":
            words = ((card, of_card.get(reviewer)) for card, of_card in self.of.items())
            return [card for card, word in words if word is not None and word.action in DECISIONS]
        wanted = Action.ACCEPT if name == "accepted" else Action.REJECT
        standing = ((card, self.standing(card)) for card in self.of)
        return [card for card, word in standing if word is not None and word.action == wanted]

    def judged_by_others(self, reviewer: str) -> list[CardId]:
        """What others accepted or rejected and this reviewer did not."""
        return [
            card
            for card, words in self.of.items()
            if card in self.judged and not (reviewer in words and words[reviewer].action in DECISIONS)
        ]


def _is_disputed(words: Mapping[str, Verdict]) -> bool:
    """Whether one reviewer accepted what another rejected, and no final word was said since."""
    decisions = [word for word in words.values() if word.action in DECISIONS]
    return len({word.action for word in decisions}) > 1 and not decisions[-1].note.startswith(FINAL)

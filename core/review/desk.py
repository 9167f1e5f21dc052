"""A reviewer's place at the queue: the settings, the card on the screen, and what each key does to them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.audit import Standing
from core.review.opinions import DECISIONS, FINAL, REASONS
from core.review.pace import minutes_at_pace
from core.review.queue import DECIDED, Filter, Pile, View, review_queue, successor
from core.review.records import Records
from core.types import Action, Card, CardId, ModelInfo, Verdict

LONGEST_NOTE = 2000  # characters
DRAFTS = 20  # changed programs that are kept; the oldest go first
HISTORY = 50  # decided cards that the left arrow walks back through

_EMPTY = {
    Pile.NEW: "everything is decided",
    Pile.SECOND: "no other reviewer's decision waits",
    Pile.DISPUTED: "nothing is disputed",
    Pile.FLAGGED: "nothing is flagged",
    Pile.MINE: "you decided nothing yet",
    Pile.ACCEPTED: "nothing is accepted",
    Pile.REJECTED: "nothing is rejected",
    Pile.ALL: "no head has a program",
}


@dataclass
class Desk:
    """What one session holds of a reviewer's work on a model."""

    model: ModelInfo
    records: Records
    reviewer: str
    view: View
    audited: Callable[[], Mapping[CardId, Standing]] = dict  # what audits say, as it is now
    ticket: str = field(default_factory=lambda: uuid.uuid4().hex)  # names the card that is on the screen
    is_editing: bool = False
    seen: int | None = None  # the reviewer's own event on the card when it was drawn
    notice: str = ""  # said once, above the card
    revealed: str = ""  # figures of the card just decided, in blind mode
    note: str = ""  # words for the verdict on the card on the screen
    warned: CardId | None = None  # of which card it was said that an audit fails

    def __post_init__(self) -> None:
        self._undone: list[list[Verdict]] = []
        self.refresh()

    @property
    def key(self) -> str:
        """What names the model and the reviewer in the keys of widgets."""
        return f"{self.model.id}-{self.reviewer}"

    def refresh(self) -> None:
        """Read anew what the workspace holds; once a run and after each change."""
        self.shelf = self.records.shelf()
        self.standings = self.audited()
        self.opinions = self.records.opinions()
        self._queues: dict[View, list[Card]] = {}
        self._recent: list[Verdict] | None = None

    def queue(self, view: View | None = None) -> list[Card]:
        """The cards that wait, in order; of another view than the reviewer's if one is given."""
        view = (view or self.view).sorts
        if view not in self._queues:
            second: Sequence[Card] = ()
            if view.pile == Pile.SECOND:
                second = self.shelf.cards(self.opinions.judged_by_others(self.reviewer))
            elif view.pile in DECIDED:
                second = self.shelf.cards(self.opinions.pile(view.pile, self.reviewer))
            elif view.pile == Pile.DISPUTED:
                second = self.shelf.cards(self.opinions.disputed)
            self._queues[view] = review_queue(self.shelf.best, second, self.opinions, self.reviewer, view)
        return self._queues[view]

    def why_empty(self) -> str:
        """Why no card waits."""
        if self.queue(replace(self.view, kept=Filter())):
            return "nothing passes the filter"
        return _EMPTY[self.view.pile]

    def card(self, queue: Sequence[Card]) -> Card | None:
        """The card on the screen: the one last gone to, else the first of the queue."""
        if self.view.card is not None:
            chosen = self.shelf.cards([self.view.card])
            if chosen:
                return chosen[0]
        return queue[0] if queue else None

    def show(self, card: Card) -> None:
        """Note that this card is now on the screen; a key counts for it alone."""
        word = self.own_word(card)
        self.seen = word.event if word is not None else None
        if self.view.card != card.id:
            self.ticket = uuid.uuid4().hex
            self.view = replace(self.view, card=card.id)

    def own_word(self, card: Card) -> Verdict | None:
        """The reviewer's own standing word on a card."""
        return self.opinions.by(self.reviewer, card)

    def candidates(self, card: Card) -> list[Card]:
        """The programs to flip through; in blind mode in an order that tells nothing of how they fit."""
        candidates = self.shelf.candidates(card)
        return sorted(candidates, key=lambda other: other.program.id) if self.view.is_blind else candidates

    def recent(self, count: int) -> list[Verdict]:
        """The reviewer's latest words, in the order in which undo takes them back."""
        if count > HISTORY:
            return self.records.verdicts.recent(self.model.id, count, self.reviewer)
        if self._recent is None:
            self._recent = self.records.verdicts.recent(self.model.id, HISTORY, self.reviewer)
        return self._recent[:count]

    def go_to(self, card: CardId | None) -> None:
        """Put a card on the screen; None for the first of the queue."""
        self.change(replace(self.view, card=card))

    def change(self, view: View) -> None:
        """Take other settings, and keep them for the next session; another card ends editing this one."""
        self.ticket = uuid.uuid4().hex
        self.is_editing = self.is_editing and view.card == self.view.card
        self.note = self.note if view.card == self.view.card else ""
        if view != self.view:
            self.view = view
            self.records.keep(self.reviewer, view)

    def draft(self, card: CardId) -> str | None:
        """A changed program of the card that is not saved yet."""
        return dict(self.view.drafts).get(card)

    def keep_draft(self, card: CardId, source: str | None) -> None:
        """Hold on to a changed program, also for the next session; None throws the change away."""
        drafts = dict(self.view.drafts)
        drafts.pop(card, None)
        if source is not None:
            drafts[card] = source
        view = replace(self.view, drafts=tuple(drafts.items())[-DRAFTS:])
        if view != self.view:
            self.view = view
            self.records.keep(self.reviewer, view)

    def decide(self, action: Action, reason: str) -> None:
        """Record a verdict on the card on the screen, and go to the next."""
        before = self.queue()
        card = self.card(before)
        if card is None:
            return
        word = self.own_word(card)
        if word is not None and word.event != self.seen:
            self.notice = f"You decided {card.head} in another tab: {word.action}. This key changed nothing."
        elif action == Action.ACCEPT and (doubt := self._doubt(card)):
            self.notice, self.warned, self.ticket = doubt, card.id, uuid.uuid4().hex
            return
        elif action in DECISIONS or word is None or word.action not in DECISIONS:
            self._record(card, action, reason, self.note, self.ticket)
            self.revealed = figures_in_words(card) if action in DECISIONS else ""
        elif action == Action.FLAG:
            self.notice = f"Your {word.action} of {card.head} stands; only what is undecided can be flagged."
        self.refresh()
        after = self.queue()
        waiting = next((left for left in after if left.head == card.head), None)
        if action in DECISIONS and waiting is not None and waiting != card and self.view.pile != Pile.ALL:
            self.go_to(waiting.id)  # another candidate was decided, the head was not
            return
        following = successor(before, after, card.head)
        self.go_to(following.id if following else None)

    def decide_on(self, card: Card, action: Action, reason: str = "", note: str = "") -> None:
        """Record a verdict on a card that is looked at elsewhere; the queue stays where it is."""
        self._record(card, action, reason, note, uuid.uuid4().hex)
        self.refresh()

    def write_note(self, card: Card, note: str) -> None:
        """Words for the verdict on a card: with the decision that stands, else with the next one."""
        word = self.own_word(card)
        if word is not None and word.action in DECISIONS:
            self.decide_on(card, word.action, word.reason, note)
            self.show(card)
        else:
            self.note = note

    def _record(self, card: Card, action: Action, reason: str, note: str, uid: str) -> None:
        is_final = self.view.pile == Pile.DISPUTED and action in DECISIONS
        note = ": ".join(part for part in (FINAL * is_final, note.strip()[:LONGEST_NOTE]) if part)
        self.records.verdicts.record(
            self.model.id, card.head, card.program.id, action, self.reviewer, reason, note, uid
        )
        self._undone.clear()

    def _doubt(self, card: Card) -> str:
        """What to say, once, before a program is accepted that an audit fails; nothing if none does."""
        standing = self.standings.get(card.id)
        if standing is None or standing.explains or self.warned == card.id:
            return ""
        why = "" if self.view.is_blind else f": {standing.why}"
        failed = f" It fails {', '.join(standing.fails)}." if standing.fails else ""
        return (
            f"Audited as {standing.rung}{why}.{failed} Accept again if you accept {card.head} nevertheless."
        )

    def doubtful(self) -> int:
        """How many cards of the queue audits do not call an explanation."""
        found = (self.standings.get(card.id) for card in self.queue())
        return sum(standing is not None and not standing.explains for standing in found)

    def decide_all(self, action: Action, reason: str = "") -> None:
        """Record the same verdict on every card of the queue; one undo takes them back."""
        pairs = [card.id for card in self.queue()]
        self._undone.clear()
        self.records.verdicts.record_all(self.model.id, pairs, action, self.reviewer, reason)
        self.refresh()
        self.notice = f"{len(pairs)} programs: {action}. One undo takes all of them back."
        self.go_to(None)

    def decide_group(self, cards: Sequence[CardId], action: Action) -> None:
        """Record the same verdict on programs that are alike; one undo takes them back."""
        before = self.queue()
        card = self.card(before)
        self.records.verdicts.record_all(self.model.id, list(cards), action, self.reviewer)
        self._undone.clear()
        self.refresh()
        self.notice = f"{len(cards)} programs: {action}. One undo takes all of them back."
        following = None if card is None else successor(before, self.queue(), card.head)
        self.go_to(following.id if following else None)

    def undo(self) -> None:
        """Take back the latest decision and return to its card."""
        taken_back = self.records.verdicts.undo(self.model.id, self.reviewer)
        self._undone += [taken_back] if taken_back else []
        self.refresh()
        if len(taken_back) == 1:
            self.go_to((taken_back[0].head, taken_back[0].program))
        elif taken_back:
            self.notice = f"{len(taken_back)} decisions that were made at once are taken back."
            self.go_to(None)
        else:
            self.notice = "There is nothing to undo."

    def redo(self) -> None:
        """Decide again what undo took back last, and show it; a new decision ends what can be."""
        if not self._undone:
            self.notice = "There is nothing to do again."
            return
        again = self._undone.pop()
        verdicts = self.records.verdicts
        if len(again) == 1:
            (word,) = again
            verdicts.record(
                self.model.id, word.head, word.program, word.action, self.reviewer, word.reason, word.note
            )
            self.refresh()
            self.go_to((word.head, word.program))
            return
        pairs = [(word.head, word.program) for word in again]
        verdicts.record_all(self.model.id, pairs, again[0].action, self.reviewer, again[0].reason)
        self.refresh()
        self.notice = f"{len(again)} decisions are made again."
        self.go_to(None)

    @property
    def can_redo(self) -> bool:
        """Whether undo took something back, and nothing was decided since."""
        return bool(self._undone)

    def minutes_left(self) -> float | None:
        """How long the queue takes at the reviewer's pace; None after too few decisions to tell."""
        return minutes_at_pace([word.at for word in self.recent(HISTORY)], len(self.queue()))

    def step(self, by: int) -> None:
        """The card after (1) or before (-1); before the queue lie the cards decided last."""
        queue = self.queue()
        card = self.card(queue)
        if card is None:
            return
        walk = [*self._history(queue), *(waiting.id for waiting in queue)]
        here = card.id
        at = (
            walk.index(here)
            if here in walk
            else next((i for i, w in enumerate(walk) if w[0] == card.head), 0)
        )
        self.go_to(walk[(at + by) % len(walk)] if walk else None)

    def _history(self, queue: Sequence[Card]) -> list[CardId]:
        waiting = {card.head for card in queue}
        pairs = dict.fromkeys(
            (word.head, word.program) for word in self.recent(HISTORY) if word.action in DECISIONS
        )
        return [past for past in reversed(pairs) if past[0] not in waiting]

    def flip(self) -> None:
        """The head's next candidate."""
        card = self.card(self.queue())
        if card is None:
            return
        candidates = self.candidates(card)
        self.go_to(candidates[(candidates.index(card) + 1) % len(candidates)].id)

    def press(self, key: str, ticket: str, reason: str = "") -> None:
        """Do what the verdict row was told, and only if it was about the card on the screen."""
        if ticket != self.ticket or self.is_editing != (key == "leave"):
            return
        self.refresh()
        self.notice = self.revealed = ""
        match key:
            case "accept" | "reject" | "skip" | "flag":
                self.decide(Action(key), reason if reason in REASONS else "")
            case "undo":
                self.undo()
            case "redo":
                self.redo()
            case "flip":
                self.flip()
            case "previous":
                self.step(-1)
            case "next":
                self.step(1)
            case "edit" | "leave":
                self.is_editing = key == "edit"

    def take_up(self, view: View) -> None:
        """Go on where the reviewer was; with the first card if the one of then is gone or decided since."""
        self.view = view
        if view.card is None:
            return
        there = self.shelf.cards([view.card])
        if not there or (self.own_word(there[0]) is not None and there[0] not in self.queue()):
            self.view = replace(view, card=None)


def figures_in_words(card: Card) -> str:
    """What blind mode hid, in a few words."""
    fits = ", ".join(f"{split} {fit.value:.2f}" for split, fit in card.fits.items())
    return f"{card.head}: IoU {fits}; {card.origin}"

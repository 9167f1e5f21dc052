"""A reviewer's place at the queue: the settings, the card on the screen, and what each key does to them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from core.review.queue import DECISIONS, REASONS, Pair, Pile, View, pair, review_queue, successor
from core.store import Workspace
from core.types import Action, Card, ModelInfo, Verdict
from core.ui.parts import state
from core.ui.parts.reviewer import reviewer
from core.ui.parts.verdict_row import last_act
from core.ui.review.shelf import current_opinions, current_shelf

HISTORY = 50  # decided cards that the left arrow walks back through


@dataclass
class Desk:
    """What one session holds of a reviewer's work on a model."""

    model: ModelInfo
    reviewer: str
    view: View
    ticket: str = field(default_factory=lambda: uuid.uuid4().hex)  # names the card that is on the screen
    is_editing: bool = False
    seen: int | None = None  # the reviewer's own event on the card when it was drawn
    notice: str = ""  # said once, above the card
    revealed: str = ""  # figures of the card just decided, in blind mode

    def __post_init__(self) -> None:
        self.refresh()

    @property
    def key(self) -> str:
        """What names the model and the reviewer in the keys of widgets."""
        return f"{self.model.id}-{self.reviewer}"

    @property
    def workspace(self) -> Workspace:
        """The open workspace."""
        return state.owner().workspace

    def refresh(self) -> None:
        """Read anew what the workspace holds; once a run and after each change."""
        self.shelf = current_shelf(self.model)
        self.opinions = current_opinions(self.model)
        self._queues: dict[View, list[Card]] = {}

    def queue(self) -> list[Card]:
        """The cards that wait, in order."""
        view = replace(self.view, card=None, is_blind=False)
        if view not in self._queues:
            second: Sequence[Card] = ()
            if view.pile == Pile.SECOND:
                second = self.shelf.cards(self.opinions.decided_by_others(self.reviewer))
            self._queues[view] = review_queue(self.shelf.best, second, self.opinions, self.reviewer, view)
        return self._queues[view]

    def card(self, queue: Sequence[Card]) -> Card | None:
        """The card on the screen: the one last gone to, else the first of the queue."""
        if self.view.card is not None:
            found = self.shelf.cards([self.view.card])
            if found:
                return found[0]
        return queue[0] if queue else None

    def show(self, card: Card) -> None:
        """Note that this card is now on the screen; a key counts for it alone."""
        word = self.own_word(card)
        self.seen = word.event if word is not None else None
        if self.view.card != pair(card):
            self.ticket = uuid.uuid4().hex
            self.view = replace(self.view, card=pair(card))

    def own_word(self, card: Card) -> Verdict | None:
        """The reviewer's own standing word on a card."""
        return self.opinions.by(self.reviewer, card)

    def candidates(self, card: Card) -> list[Card]:
        """The programs to flip through; in blind mode in an order that tells nothing of how they fit."""
        found = self.shelf.candidates(card)
        return sorted(found, key=lambda one: one.program.id) if self.view.is_blind else found

    def recent(self, count: int) -> list[Verdict]:
        """The reviewer's latest words, in the order in which undo takes them back."""
        return self.workspace.verdicts.recent(self.model.id, count, self.reviewer)

    def go_to(self, card: Pair | None) -> None:
        """Put a card on the screen; None for the first of the queue."""
        self.change(replace(self.view, card=card))

    def change(self, view: View) -> None:
        """Take other settings, and keep them for the next session; another card ends editing this one."""
        self.ticket = uuid.uuid4().hex
        self.is_editing = self.is_editing and view.card == self.view.card
        if view != self.view:
            self.view = view
            self.workspace.reviewers.save(self.model.id, self.reviewer, view.to_json())

    def decide(self, action: Action, reason: str) -> None:
        """Record a verdict on the card on the screen, and go to the next."""
        before = self.queue()
        card = self.card(before)
        if card is None:
            return
        word = self.own_word(card)
        if word is not None and word.event != self.seen:
            self.notice = f"You decided {card.head} in another tab: {word.action}. This key changed nothing."
        elif action in DECISIONS or word is None or word.action not in DECISIONS:
            self.workspace.verdicts.record(
                self.model.id, card.head, card.program.id, action, self.reviewer, reason, uid=self.ticket
            )
            self.revealed = figures_in_words(card) if action in DECISIONS else ""
        elif action == Action.FLAG:
            self.notice = f"Your {word.action} of {card.head} stands; only what is undecided can be flagged."
        self.refresh()
        after = self.queue()
        waiting = next((one for one in after if one.head == card.head), None)
        if action in DECISIONS and waiting is not None and waiting != card and self.view.pile != Pile.ALL:
            self.go_to(pair(waiting))  # another candidate was decided, the head was not
            return
        following = successor(before, after, card.head)
        self.go_to(pair(following) if following else None)

    def decide_all(self, action: Action, reason: str = "") -> None:
        """Record the same verdict on every card of the queue; one undo takes them back."""
        pairs = [pair(card) for card in self.queue()]
        self.workspace.verdicts.record_all(self.model.id, pairs, action, self.reviewer, reason)
        self.refresh()
        self.notice = f"{len(pairs)} programs: {action}. One undo takes all of them back."
        self.go_to(None)

    def undo(self) -> None:
        """Take back the latest decision and return to its card."""
        taken_back = self.workspace.verdicts.undo(self.model.id, self.reviewer)
        self.refresh()
        if len(taken_back) == 1:
            self.go_to((taken_back[0].head, taken_back[0].program))
        elif taken_back:
            self.notice = f"{len(taken_back)} decisions that were made at once are taken back."
            self.go_to(None)
        else:
            self.notice = "There is nothing to undo."

    def step(self, by: int) -> None:
        """The card after (1) or before (-1); before the queue lie the cards decided last."""
        queue = self.queue()
        card = self.card(queue)
        if card is None:
            return
        walk = [*self._history(queue), *(pair(one) for one in queue)]
        here = pair(card)
        at = (
            walk.index(here)
            if here in walk
            else next((i for i, w in enumerate(walk) if w[0] == card.head), 0)
        )
        self.go_to(walk[(at + by) % len(walk)] if walk else None)

    def _history(self, queue: Sequence[Card]) -> list[Pair]:
        waiting = {card.head for card in queue}
        pairs = dict.fromkeys(
            (word.head, word.program) for word in self.recent(HISTORY) if word.action in DECISIONS
        )
        return [one for one in reversed(pairs) if one[0] not in waiting]

    def flip(self) -> None:
        """The head's next candidate."""
        card = self.card(self.queue())
        if card is None:
            return
        candidates = self.candidates(card)
        self.go_to(pair(candidates[(candidates.index(card) + 1) % len(candidates)]))

    def act(self) -> None:
        """Do what the verdict row was told, once, and only if it was about the card on the screen."""
        told = last_act()
        if told is None or told.ticket != self.ticket or self.is_editing:
            return
        self.refresh()
        self.notice = self.revealed = ""
        match told.act:
            case "accept" | "reject" | "skip" | "flag":
                self.decide(Action(told.act), told.reason if told.reason in REASONS else "")
            case "undo":
                self.undo()
            case "flip":
                self.flip()
            case "previous":
                self.step(-1)
            case "next":
                self.step(1)
            case "edit":
                self.is_editing = True


def figures_in_words(card: Card) -> str:
    """What blind mode hid, in a few words."""
    fits = ", ".join(f"{split} {fit.value:.2f}" for split, fit in card.fits.items())
    return f"{card.head}: IoU {fits}; {card.origin}"


def open_desk(model: ModelInfo) -> Desk:
    """This session's desk; a new session takes up the reviewer's last settings and card."""
    name = reviewer()
    held = st.session_state.get("desk")
    if isinstance(held, Desk) and (held.model, held.reviewer) == (model, name):
        held.refresh()
        return held
    saved = state.owner().workspace.reviewers.view(model.id, name)
    desk = Desk(model, name, View.from_json(saved) if saved else View())
    card = desk.view.card
    if card is not None:
        queue = desk.queue()
        found = desk.shelf.cards([card])
        if not found or (desk.own_word(found[0]) is not None and found[0] not in queue):
            desk.view = replace(desk.view, card=None)
    st.session_state["desk"] = desk
    return desk

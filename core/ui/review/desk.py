"""This session's desk: what it reads and writes is the open workspace."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.review import Desk, Opinions, Shelf, View
from core.store import VerdictLog
from core.types import ModelInfo
from core.ui.parts import state
from core.ui.parts.reviewer import reviewer
from core.ui.parts.verdict_row import last_act
from core.ui.review.place import ask_for_heads
from core.ui.review.shelf import current_opinions, current_shelf


@dataclass(frozen=True)
class OpenRecords:
    """A model in the workspace that is open now."""

    model: ModelInfo

    @property
    def verdicts(self) -> VerdictLog:
        """The log."""
        return state.owner().workspace.verdicts

    def shelf(self) -> Shelf:
        """The model's cards as they are now."""
        return current_shelf(self.model)

    def opinions(self) -> Opinions:
        """Every reviewer's word as it is now."""
        return current_opinions(self.model)

    def keep(self, reviewer: str, view: View) -> None:
        """Keep a reviewer's view for their next session."""
        state.owner().workspace.reviewers.save(self.model.id, reviewer, view.to_json())


def open_desk(model: ModelInfo) -> Desk:
    """This session's desk; a new session takes up the reviewer's last settings and card."""
    name = reviewer()
    kept = st.session_state.get("desk")
    if isinstance(kept, Desk) and (kept.model, kept.reviewer) == (model, name):
        kept.refresh()
        return kept
    desk = Desk(model, OpenRecords(model), name, View(), lambda: state.standings(model))
    saved = state.owner().workspace.reviewers.view(model.id, name)
    if saved:
        desk.take_up(View.from_json(saved))
    st.session_state["desk"] = desk
    return desk


def act(desk: Desk) -> None:
    """Do what the verdict row was told, once."""
    told = last_act()
    if told is None:
        return
    if told.act == "open":
        if told.ticket == desk.ticket and (card := desk.card(desk.queue())) is not None:
            ask_for_heads(card.head, card.program.id)
    else:
        desk.press(told.act, told.ticket, told.reason)

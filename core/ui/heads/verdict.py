"""Accept or reject the program that Heads shows, and the way back to the card it was opened from."""

from __future__ import annotations

import streamlit as st

from core.review import LONGEST_NOTE, REASONS
from core.types import Action, HeadId, ModelInfo
from core.ui.parts import frame, keys
from core.ui.parts.reviewer import account, has_accounts, in_address
from core.ui.parts.verdict_row import WORDS
from core.ui.review.desk import open_desk
from core.ui.review.place import CAME


def draw_way_back() -> None:
    """A button to the card that Heads was opened from, if it was."""
    if st.session_state.get(CAME) and st.button(
        "Review",
        icon=":material/arrow_back:",
        shortcut=keys.BACK.shown,
        key="back-to-review",
        help=keys.BACK.does,
    ):
        st.session_state[CAME] = False
        st.switch_page("pages/review.py", query_params=in_address())


def draw_verdict(model: ModelInfo, head: HeadId, program: str) -> None:
    """The reviewer's word on the program shown, as a button that opens what it takes to give one."""
    if has_accounts() and account() is None:
        return
    desk = open_desk(model)
    card = next(iter(desk.shelf.cards([(head, program)])), None)
    if card is None:  # not scored on this head
        return
    word = desk.own_word(card)
    with st.popover(WORDS[word.action] if word else "Verdict", icon=":material/rule:", key="verdict"):
        if said := desk.opinions.in_words(card.id):
            st.caption(frame.as_text(said))
        standing = desk.standings.get(card.id)
        if standing is not None and not standing.explains:
            st.caption(f"Audited as {standing.rung}: {frame.as_text(standing.why)}")
        note, reason = (f"heads-{name}-{head}-{program}" for name in ("note", "reason"))
        st.text_input("Note", word.note if word else "", max_chars=LONGEST_NOTE, key=note)
        st.selectbox("Reason, for rejecting", ["", *REASONS], key=reason)

        def decide(action: Action) -> None:
            why = st.session_state[reason] if action == Action.REJECT else ""
            desk.decide_on(card, action, why, st.session_state[note])

        with st.container(horizontal=True):
            st.button("✓ Accept", key="heads-accept", type="primary", on_click=decide, args=(Action.ACCEPT,))
            st.button("✕ Reject", key="heads-reject", on_click=decide, args=(Action.REJECT,))
            st.button("Undo", key="heads-undo", on_click=desk.undo, help="Take back your latest decision")

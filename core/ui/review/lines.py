"""A line of the card's program left out, to see what it is worth."""

from __future__ import annotations

import streamlit as st

from core.audit.rules import Rule, rules_of
from core.types import Card, ModelInfo
from core.ui.parts import frame
from core.ui.review.worth import draw_asking

OFF = "review-line-off"  # the card, and the line of its program that is left out


def line_off(card: Card) -> Rule | None:
    """The rule of this card's program that is left out; None where none is."""
    of, line = st.session_state.get(OFF, (None, 0))
    if of != card.id:
        return None
    return next((rule for rule in rules_of(card.program.source) if rule.line == line), None)


def draw_lines(model: ModelInfo, card: Card, hidden: bool) -> None:
    """The lines that the program can do without, one of which can be left out; read once it is opened."""
    off = line_off(card)
    box = st.popover("Lines ·" if off else "Lines", icon=":material/rule:", key="lines", on_change="rerun")
    if not box.open:
        return
    rules = {rule.line: rule for rule in rules_of(card.program.source)}
    field = f"line-off-{card.head}-{card.program.id}"

    def keep() -> None:
        chosen = st.session_state[field]
        st.session_state[OFF] = (card.id, chosen) if chosen is not None else (None, 0)

    with box:
        if not rules:
            st.caption("No line of this program can be left out.")
            return
        st.pills(
            "Without",
            list(rules),
            default=off.line if off else None,
            format_func=lambda line: frame.as_text(rules[line].text),
            key=field,
            on_change=keep,
        )
        if not hidden:
            draw_asking(model, card.head, card.program.source)

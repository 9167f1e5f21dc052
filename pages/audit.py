"""Audit: does each program explain its head, or only resemble it?"""

import streamlit as st

from core.types import CardId, HeadId
from core.ui.audit import view
from core.ui.parts import frame


def asked(found: dict[CardId, object]) -> CardId | None:
    """The card that the address names."""
    try:
        head = HeadId(int(st.query_params["layer"]), int(st.query_params["head"]))
    except (KeyError, ValueError):
        return None
    return next((card for card in found if card[0] == head), None)


frame.through_app()
model = frame.model_or_stop("Audit")
st.title(f"Audit · {model.title}", anchor=False)
is_resolved = view.asks_resolved(model)
stored, standings = view.best_found(model, is_resolved)
view.draw_start(model, len(standings), is_resolved)
if not stored:
    st.info(
        "Does each program explain its head, or only resemble it? An audit compares each head's best program "
        "with a twin that knows position only, looks off the resting places, at what the head writes and at "
        "what happens when a word is changed, and promises what 9 of 10 fresh passages reach. The demo's 270 "
        "heads take about two minutes.",
        icon=":material/fact_check:",
    )
    st.stop()
view.draw_ladder(model, list(standings.values()), is_resolved)
found = {card: {name: one.finding for name, one in findings.items()} for card, findings in stored.items()}
picked = view.draw_table(found, standings)
view.draw_exports(model, found, standings)
card, opened = picked or (asked(stored), "")
frame.warn_if_missing(
    "head with an audit", card is not None or not st.query_params.keys() & {"layer", "head"}
)
if card is not None:
    st.query_params.update(layer=str(card[0].layer), head=str(card[0].head))
    view.draw_sheet(model, card, stored[card], standings.get(card), opened)
st.header("Does one figure tell the other?", anchor=False)
view.draw_figures(model, found, standings)

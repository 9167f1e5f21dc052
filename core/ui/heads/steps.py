"""Going through sentences: next, previous, counterexamples, a text of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.types import HeadId
from core.ui.heads import address
from core.ui.heads.passages import MAX_OWN_TOKENS, OWN, worst_cell
from core.ui.parts import keys
from core.ui.parts.attention_view import Pins
from core.ui.parts.state import SideBySide

_FIND = "heads-find"  # the worst token is to be pinned
_FOUND = "heads-found"  # (head, program, place in the order of the last counterexample)


def draw_steps(ordered: Sequence[str], head: HeadId, program: str) -> None:
    """Buttons to the sentence before, the one after, and the next counterexample, worst first."""
    here = st.session_state["sentence"]
    at = ordered.index(here) if here in ordered else -1

    def step(by: int) -> None:
        st.session_state["sentence"] = ordered[(at + by) % len(ordered)]

    back, on = keys.PREVIOUS, keys.NEXT
    by = (-1 if at >= 0 else 1,)
    st.button("‹", key="previous", shortcut=back.shown, on_click=step, args=by, help=back.does)
    st.button("›", key="next", shortcut=on.shown, on_click=step, args=(1,), help=on.does)
    st.button(
        "Counterexample",
        key="counterexample",
        shortcut=keys.WORST.shown,
        icon=":material/target:",
        on_click=_next_counterexample,
        args=(ordered, head, program),
        help=keys.WORST.does,
    )


def _next_counterexample(ordered: Sequence[str], head: HeadId, program: str) -> None:
    of_head, of_program, shown = st.session_state.get(_FOUND, (None, None, -1))
    shown = shown + 1 if (of_head, of_program) == (head, program) else 0
    st.session_state[_FOUND] = (head, program, shown)
    st.session_state["sentence"] = ordered[shown % len(ordered)]
    st.session_state[_FIND] = True


def pin_if_asked(compared: SideBySide, sentence: str) -> None:
    """After the counterexample button: pin the token where the program is most wrong."""
    if st.session_state.pop(_FIND, False):
        query, key = worst_cell(compared)
        address.pin(sentence, Pins((query,), (query, key)))


def draw_own_text() -> None:
    """A box for a text of one's own, which the model and the program then read live."""

    def show() -> None:
        text = st.session_state["own-text"].strip()
        st.session_state["text"] = text
        st.session_state["sentence"] = OWN if text else None
        st.session_state["own-text-box"] = False  # what was asked for lies below the box

    with st.popover("Own text", icon=":material/edit:", key="own-text-box", on_change="rerun"):
        st.text_area(
            "Text for the model to read",
            key="own-text",
            persist_state="session",
            placeholder="Lily saw a big red ball. She wanted to play with it.",
        )
        st.checkbox("Keep the text in the address, so that the link can be shared", key="text-in-address",
                    persist_state="session")  # fmt: skip
        st.button("Show attention", type="primary", on_click=show, key="show-own-text")
        st.caption(f"At most {MAX_OWN_TOKENS} tokens are read. The text is not stored in the workspace.")

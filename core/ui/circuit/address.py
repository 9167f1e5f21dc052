"""The head that the Circuit page keeps lit, in the address bar."""

from __future__ import annotations

import streamlit as st

from core.types import HeadId, ModelInfo
from core.ui.circuit.view import selected_in

VIEW = "circuit"  # key of the view
_NAMES = ("layer", "head")
_WRITTEN = "circuit-written"  # the address as this page last left it
_GIVEN = "circuit-given"  # the head that the address named
_MISSING = "circuit-missing"  # whether the address named a head that the model does not have
_STAMP = "circuit-stamp"  # counts the addresses that came from elsewhere than the view


def follow_address(model: ModelInfo) -> tuple[HeadId | None, int]:
    """The head that an address asked for, and a number that changes when another one does."""
    given = {name: st.query_params[name] for name in _NAMES if name in st.query_params}
    if given != st.session_state.get(_WRITTEN, {}):
        st.session_state[_WRITTEN] = given
        st.session_state[_GIVEN] = _named(model, given)
        st.session_state[_MISSING] = bool(given) and st.session_state[_GIVEN] is None
        st.session_state[_STAMP] = st.session_state.get(_STAMP, 0) + 1
    return st.session_state.get(_GIVEN), int(st.session_state.get(_STAMP, 0))


def is_missing() -> bool:
    """Whether the address asked for a head that the model does not have."""
    return bool(st.session_state.get(_MISSING))


def write_address(model: ModelInfo) -> None:
    """Say in the address which head was chosen in the view just now."""
    head = selected_in(VIEW, model)
    place = {} if head is None else {"layer": str(head.layer), "head": str(head.head)}
    for name in _NAMES:
        st.query_params.pop(name, None)
    st.query_params.update(place)
    st.session_state[_WRITTEN] = place
    st.session_state[_MISSING] = False


def _named(model: ModelInfo, given: dict[str, str]) -> HeadId | None:
    numbers = [given.get(name, "") for name in _NAMES]
    if not all(number.isdecimal() and len(number) < 7 for number in numbers):
        return None
    head = HeadId(*map(int, numbers))
    return head if head.layer < model.layers and head.head < model.heads else None

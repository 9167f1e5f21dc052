"""Which card Review shows, kept in the address bar: `review?head=L3H7&program=ID`."""

from __future__ import annotations

import streamlit as st

from core.review import Desk
from core.types import Card, HeadId
from core.ui.parts.reviewer import in_address

_NAMES = ("head", "program")  # what of the address is this page's
_WRITTEN = "review-written"  # every card that this session has put into the address


def follow_address(desk: Desk) -> None:
    """Go to the card of an address that was opened; of one that leads nowhere say so, and stay.

    What this session has written itself is not followed: after a quick second key the browser tells the
    card before.
    """
    given = {name: value for name, value in st.query_params.to_dict().items() if name in _NAMES}
    if not given or _spelt(given) in _written():
        return
    _written().add(_spelt(given))
    try:
        card = _card(desk, given.get("head", ""), given.get("program"))
    except ValueError as missing:
        desk.notice = f"The link leads nowhere: {missing}. This is another card."
    else:
        desk.go_to(card.id)


def write_address(card: Card | None) -> None:
    """Say in the address which card is on the screen."""
    place = {} if card is None else {"head": str(card.head), "program": card.program.id}
    _written().add(_spelt(place))
    given = st.query_params.to_dict()
    elsewhere = {name: value for name, value in given.items() if name not in (*_NAMES, "reviewer")}
    wanted = elsewhere | in_address() | place
    if given != wanted:
        st.query_params.from_dict(wanted)


def _card(desk: Desk, name: str, program: str | None) -> Card:
    """The card that an address names, the head's best where it names no program.

    Raises ValueError, in words, where there is none.
    """
    head = HeadId.parse(name)
    if wrong := desk.model.lacks(head):
        raise ValueError(f"{head} {wrong}")
    found = [card for card in desk.shelf.best if card.head == head]
    if program is not None:
        found = desk.shelf.cards([(head, program)])
    if not found:
        raise ValueError(f"{head} has no program" + f" {program}" * bool(program))
    return found[0]


def _written() -> set[tuple[str, str]]:
    held: set[tuple[str, str]] = st.session_state.setdefault(_WRITTEN, set())
    return held


def _spelt(place: dict[str, str]) -> tuple[str, str]:
    return place.get("head", ""), place.get("program", "")

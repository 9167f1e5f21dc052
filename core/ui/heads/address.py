"""What the Heads page shows, kept in the address bar, which always says everything."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.types import HeadId, ModelInfo
from core.ui.heads import contributions
from core.ui.parts.attention_view import Pins, pins_of
from core.ui.parts.reviewer import in_address

VIEW = "attention"  # key of the attention view
NO_PINS = Pins()
_CONTRIBUTIONS = "contributions"  # what the address says where maps are of them
_NAMES = ("layer", "head", "sentence", "program", "at", "text", "maps")  # what of the address is this page's
_WRITTEN = "heads-written"  # the address as this page last left it
_PINS = "heads-pins"  # (sentence, Pins)
_STAMP = "heads-stamp"  # counts the times that pins came from elsewhere than the view
_LEAVE = "heads-leave"  # the fragment should draw the whole page
_ASKED = "heads-asked"  # what an address asked for that was opened just now
_WANTED = "heads-wanted"  # what the next run of the whole page is to show


def follow_address(model: ModelInfo) -> None:
    """Show what a part of the page asked for; take over an address that was opened, edited or gone back to.

    What an address leaves out stays.
    """
    st.session_state.update(st.session_state.pop(_WANTED, {}))
    given = _spelt_out({name: value for name, value in st.query_params.to_dict().items() if name in _NAMES})
    st.session_state[_ASKED] = {}
    if given == st.session_state.get(_WRITTEN):
        return
    st.session_state[_ASKED] = given
    st.session_state[_WRITTEN] = given
    for name, numbers in (("layer", model.attention_layers), ("head", range(model.heads))):
        if _is_number(given.get(name, "")) and int(given[name]) in numbers:
            st.session_state[name] = int(given[name])
    if given.keys() & {"layer", "head", "program"}:
        st.session_state["program"] = given.get("program")
    if "sentence" in given:
        st.session_state["sentence"] = given["sentence"]
    if "text" in given:
        st.session_state["text"] = st.session_state["own-text"] = given["text"]
        st.session_state["text-in-address"] = True
    if given.get("maps") == _CONTRIBUTIONS:
        contributions.show(True)
    if "at" in given and "sentence" in given:
        pin(given["sentence"], _pins(given["at"]))


def _spelt_out(given: dict[str, str]) -> dict[str, str]:
    """An address in which `head=L3H7` says what `layer=3&head=7` does."""
    try:
        head = HeadId.parse(given.get("head", ""))
    except ValueError:
        return given
    return given | {"layer": str(head.layer), "head": str(head.head)}


def missing(model: ModelInfo, shown: HeadId, sentence: str, program: str) -> list[str]:
    """What the address that was just opened asked for and this page does not show, in words."""
    asked = st.session_state.get(_ASKED, {})
    wanted = f"L{asked.get('layer', shown.layer)}H{asked.get('head', shown.head)}"
    if not _is_number(asked.get("head", "0")):
        wanted = asked["head"]
    return [
        *([_unshown(wanted, model)] if wanted != str(shown) else []),
        *([f"{shown} has no program {asked['program']}"] if asked.get("program", program) != program else []),
        *(
            [f"there is no passage {asked['sentence']}"]
            if asked.get("sentence", sentence) != sentence
            else []
        ),
    ]


def _unshown(wanted: str, model: ModelInfo) -> str:
    """What is wrong with a head that the address asked for."""
    try:
        return f"{wanted} {model.lacks(HeadId.parse(wanted)) or 'is not shown'}"
    except ValueError as error:
        return str(error)


def _pins(written: str) -> Pins:
    """What `5-12.3` pins: the queries 5 and 12, and of the last the key 3."""
    *others, cell = written.split("-")
    query, _, key = cell.partition(".")
    if not all(map(_is_number, (*others, query, key))):
        return NO_PINS
    return Pins(tuple(dict.fromkeys(map(int, (*others, query)))), (int(query), int(key)))


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 7


def write_address(head: HeadId, sentence: str = "", program: str = "", pins: Pins = NO_PINS) -> None:
    """Say in the address what is on the screen; a text of one's own only if that was asked for."""
    place = {"layer": str(head.layer), "head": str(head.head)}
    if program:
        place |= {"sentence": sentence, "program": program}
    if pins.cell is not None:
        others = [str(query) for query in pins.queries if query != pins.cell[0]]
        place["at"] = "-".join([*others, f"{pins.cell[0]}.{pins.cell[1]}"])
    if sentence == "own" and st.session_state.get("text-in-address"):
        place["text"] = st.session_state["text"]
    if program and contributions.are_shown():
        place["maps"] = _CONTRIBUTIONS
    given = st.query_params.to_dict()
    elsewhere = {name: value for name, value in given.items() if name not in (*_NAMES, "reviewer")}
    wanted = elsewhere | in_address() | place
    if given != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[_WRITTEN] = place


def open_head(head: HeadId) -> None:
    """Show another head, with its own best program, on the same sentence."""
    _show(layer=head.layer, head=head.head, program=None)


def open_program(program: str) -> None:
    """Show another program of this head."""
    _show(program=program)


def _show(**wanted: int | str | None) -> None:
    """Ask for something else on the whole page.

    Not in the widgets' own state: a run of the sidebar that the browser asked for before it heard of the
    change would set that back.
    """
    st.session_state[_WANTED] = wanted
    leave()


def leave() -> None:
    """Draw the whole page, also if only a part of it runs."""
    st.session_state[_LEAVE] = True


def is_left() -> bool:
    """Whether a part of the page has to give way to the whole; says so once."""
    return bool(st.session_state.pop(_LEAVE, False))


def pin(sentence: str, pins: Pins) -> None:
    """Pin from outside the view."""
    st.session_state[_PINS] = (sentence, pins)
    st.session_state[_STAMP] = stamp() + 1


def remember_pins() -> None:
    """What was pinned in the view just now."""
    st.session_state[_PINS] = (st.session_state["sentence"], pins_of(VIEW))


def stamp() -> int:
    """Changes when pins come from outside the view."""
    return int(st.session_state.get(_STAMP, 0))


def pins_on(sentence: str, tokens: int, is_causal: bool) -> Pins:
    """What is pinned on this sentence; what does not exist there is left out."""
    held: tuple[str, Pins] = st.session_state.get(_PINS, ("", NO_PINS))
    where, pins = held
    if where != sentence:
        return NO_PINS
    queries = tuple(query for query in pins.queries if query < tokens)
    cell = pins.cell
    if cell is not None and not (max(cell) < tokens and (not is_causal or cell[1] <= cell[0])):
        return NO_PINS
    return replace(pins, queries=queries)

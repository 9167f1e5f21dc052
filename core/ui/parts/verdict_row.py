"""The row of decisions under a card, with its keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import streamlit as st

from core.display.canvas import script, style
from core.review import REASONS
from core.types import Action

_row = st.components.v2.component(
    "headscript_verdict_row",
    css=style("verdict_row"),
    js=script("verdict_row"),
)
KEY = "verdict-row"
WORDS = {
    Action.ACCEPT: "✓ accepted",
    Action.REJECT: "✕ rejected",
    Action.SKIP: "↷ skipped",
    Action.FLAG: "⚑ flagged",
}


@dataclass(frozen=True)
class Act:
    """What a reviewer did, and on which card."""

    act: str
    ticket: str
    reason: str


@dataclass(frozen=True)
class Painted:
    """What has to stand on the screen before a key counts for the card."""

    heading: str
    source: str


@dataclass(frozen=True)
class _Key:
    act: str
    key: str  # as a KeyboardEvent names it
    shown: str
    label: str
    title: str
    kind: str = ""
    disabled: bool = False


KEYS = (
    _Key("accept", "a", "a", "✓ Accept", "Accept the program for this head", "primary"),
    _Key("reject", "x", "x", "✕ Reject", "Reject it, without a reason"),
    _Key("skip", " ", "Space", "↷ Skip", "Put it off to the end of the queue"),
    _Key("flag", "f", "f", "⚑ Flag", "Mark it for another look; decides nothing"),
    _Key("undo", "Backspace", "⌫", "Undo", "Take back the latest decision and return to its card"),
    _Key("redo", "y", "y", "↻", "Decide again what undo took back"),
    _Key("flip", "b", "b", "A/B", "The head's next candidate"),
    _Key("edit", "e", "e", "Edit", "Change the program here"),
    _Key("open", "o", "o", "Heads", "Open the program on Heads; Back returns to this card"),
    _Key("previous", "ArrowLeft", "←", "", "Previous card"),
    _Key("next", "ArrowRight", "→", "", "Next card, without deciding"),
)


def draw_verdict_row(
    ticket: str,
    counts: Mapping[str, int],
    is_editing: bool,
    disabled: frozenset[str],
    painted: Painted | None,
    on_act: Callable[[], None],
) -> None:
    """The row; `on_act` is called after each press, `last_act` then tells which it was.

    No press counts while the screen does not show what is `painted`, with the ticket on the program.
    """
    _row(
        key=KEY,
        data={
            "ticket": ticket,
            "editing": is_editing,
            "painted": None if painted is None else asdict(painted),
            "keys": [{**asdict(key), "disabled": key.act in disabled} for key in KEYS],
            "reasons": [{"name": reason, "count": counts.get(reason, 0)} for reason in REASONS],
        },
        on_act_change=on_act,
    )


def last_act() -> Act | None:
    """What the row's latest event was; None outside its callback."""
    found = st.session_state.get(KEY)
    sent = found.get("act") if found else None
    return None if sent is None else Act(str(sent["act"]), str(sent["ticket"]), str(sent["reason"]))

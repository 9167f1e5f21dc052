"""Passages whose tokens are shaded by how much more a hybrid is surprised by them than its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from core.display import diverging
from core.display.canvas import script, style
from core.sharing.figures.of_damage import added
from core.types import TokenDamage

_text = st.components.v2.component(
    "headscript_damage_text",
    css=style("damage_text"),
    js=script("element", "damage_text"),
)
_STEP = 0.5  # nats a shade
_LEAST = 0.1  # nats from which a token is shaded


@dataclass(frozen=True)
class ShadedToken:
    """A token as it is drawn."""

    text: str
    told: str
    background: str = ""
    ink: str = ""


@dataclass(frozen=True)
class Pick:
    """A click on a token."""

    passage: int  # as they are drawn
    token: int
    click: int  # tells it from a click on the same token before


def draw_damage_text(passages: Sequence[TokenDamage], key: str, picks: bool, picked: Pick | None) -> None:
    """The passages; where it `picks`, a click on a token is in `picked_token(key)` from then on."""
    _text(
        key=key,
        data={
            "picks": picks,
            "picked": None if picked is None else [picked.passage, picked.token],
            "passages": [
                {"label": label_of(passage), "tokens": [asdict(token) for token in shaded(passage)]}
                for passage in passages
            ],
        },
        default={"picked": None},
        on_picked_change=lambda: None,
    )


def picked_token(key: str) -> Pick | None:
    """The latest click in the text called `key`."""
    found = st.session_state.get(key)
    picked = found.get("picked") if found else None
    return None if picked is None else Pick(*(int(part) for part in picked))


def label_of(passage: TokenDamage) -> str:
    """What a passage's text costs in all."""
    return f"{added(passage):+.2f} nats per token"


def shaded(passage: TokenDamage) -> list[ShadedToken]:
    """Every token with its colour and its figures in words."""
    figures = zip(passage.tokens[1:], passage.base, passage.changed, passage.kl, strict=True)
    return [
        ShadedToken(passage.tokens[0], "context only"),
        *(
            ShadedToken(
                token,
                f"loss {base:.2f} to {changed:.2f}, KL {kl:.2f}",
                *(damage_colour(changed - base) if abs(changed - base) > _LEAST else ()),
            )
            for token, base, changed, kl in figures
        ),
    ]


def damage_colour(change: float) -> tuple[str, str]:
    """Background and ink for a token whose loss changed by so many nats: orange worse, purple better."""
    steps = min(4, int(abs(change) / _STEP) + 1)
    return diverging(steps if change > 0 else -steps)

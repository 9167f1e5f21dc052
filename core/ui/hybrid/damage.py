"""Where in a text a hybrid is more surprised than its model."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from core.display import PUOR
from core.types import EvaluationDetails, TokenDamage

_SHOWN = 8  # passages


def draw_damage(details: EvaluationDetails) -> None:
    """Passages with every token shaded by how much more surprising it became."""
    passages = details.damage
    if not passages:
        st.info(
            "Measure the hybrid again (*Details*) to see the damage to each token.", icon=":material/info:"
        )
        return
    order = st.segmented_control(
        "Passages", ["most damaged first", "as measured"], default="most damaged first", key="damage-order"
    )
    added = [float(np.mean(passage.changed) - np.mean(passage.base)) for passage in passages]
    places = list(range(len(passages)))
    if order == "most damaged first":
        places.sort(key=lambda place: -added[place])
    st.caption(
        "orange: the hybrid is more surprised by the token than the model; purple: less. Hover for nats."
    )
    for place in places[:_SHOWN]:
        st.html(damage_html(passages[place], added[place]))


def damage_colour(change: float) -> tuple[str, str]:
    """Background and ink for a token whose loss changed by so many nats: orange worse, purple better."""
    steps = min(4, int(abs(change) / 0.5) + 1)
    background = PUOR[5 + steps] if change > 0 else PUOR[5 - steps]
    return background, "#ffffff" if steps == 4 else "#1a1a1a"


def damage_html(passage: TokenDamage, added: float) -> str:
    """A passage as spans, every character of it escaped."""
    changes = [0.0, *(b - a for a, b in zip(passage.base, passage.changed, strict=True))]
    spans = []
    for at, (token, change) in enumerate(zip(passage.tokens, changes, strict=True)):
        told = (
            f"loss {passage.base[at - 1]:.2f} to {passage.changed[at - 1]:.2f}, KL {passage.kl[at - 1]:.2f}"
            if at
            else "context only"
        )
        background, ink = damage_colour(change)
        style = f"background:{background};color:{ink};border-radius:3px" if abs(change) > 0.1 else ""
        spans.append(f'<span title="{told}" style="{style}">{escape(token)}</span>')
    return (
        f'<p style="line-height:1.9;white-space:pre-wrap"><small>{added:+.2f} nats per token</small><br>'
        f"{''.join(spans)}</p>"
    )

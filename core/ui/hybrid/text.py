"""Text from the model and from the hybrid, side by side."""

from __future__ import annotations

from contextlib import closing

import streamlit as st

from core.display import counted
from core.errors import HeadscriptError
from core.types import HybridSpec, ModelInfo
from core.ui.parts import frame, state
from core.ui.parts.live import LiveModel, live_model

_PROMPT = "Once upon a time, there was a little girl who"


def draw_generation(model: ModelInfo, hybrid: str) -> None:
    """A prompt, and how both go on."""
    with st.form("generation", border=False):
        prompt = st.text_area("Prompt", _PROMPT, height=80, key="prompt")
        one, two, three = st.columns(3)
        tokens = one.slider("Tokens", 5, 120, 30, key="tokens")
        temperature = two.slider("Temperature", 0.0, 1.5, 0.0, 0.1, key="temperature")
        seed = three.number_input("Seed", 0, 10_000, 0, key="seed")
        pressed = st.form_submit_button("Generate", type="primary", icon=":material/edit_note:")
    if not pressed:
        return
    spec = state.owner().workspace.hybrids.spec(hybrid)
    assert spec is not None
    try:
        _draw_both(live_model(model), spec, prompt, tokens, temperature, int(seed))
    except HeadscriptError as error:
        st.error(frame.as_text(str(error)))


def _draw_both(
    live: LiveModel, spec: HybridSpec, prompt: str, tokens: int, temperature: float, seed: int
) -> None:
    from core.hybrid.generate import generate, looks_ahead

    ahead = looks_ahead(spec)
    plain = HybridSpec.of(spec.model, [])
    for column, title, chosen in zip(
        st.columns(2, gap="large"), ("Model", "Hybrid"), (plain, spec), strict=True
    ):
        column.markdown(f"**{title}**")
        place = column.empty()
        text = prompt
        failures: list[int] = []
        writing = generate(live.loaded, chosen, prompt, tokens, temperature, seed, failures.append)
        with live.lock, closing(writing) as pieces:  # closed, and so unpatched, before the lock is free
            for piece in pieces:
                text += piece
                place.text(text)
    if any(failures):
        st.warning(
            f"At {sum(map(bool, failures))} of {len(failures)} tokens the programs of up to "
            f"{counted(max(failures), 'head')} failed; there the heads kept their own attention.",
            icon=":material/warning:",
        )
    if ahead:
        st.caption(
            f"{len(ahead)} programs read text to the right of a token when a whole passage is given. "
            "Here they see no further than the text so far, so this is strictly left to right."
        )

"""The switch between weights and what keys contribute to what the head writes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import HeadscriptError
from core.types import HeadId, ModelInfo
from core.ui.heads.passages import Passage
from core.ui.parts import frame
from core.ui.parts.live import live_model
from core.ui.parts.state import SideBySide

_ON = "heads-contributions"


def are_shown() -> bool:
    """Whether maps are of contributions, and not of weights."""
    return bool(st.session_state.get(_ON))


def show(are_wanted: bool) -> None:
    """Maps of contributions, or of weights."""
    st.session_state[_ON] = are_wanted


def turn() -> None:
    """The switch in the map was turned."""
    show(not are_shown())


def or_message(model: ModelInfo, head: HeadId, passage: Passage, compared: SideBySide) -> SideBySide | None:
    """The same head and program in contributions; a message, and weights again, where these are unknown."""
    from core.audit.contributed import contributed

    try:
        z = _carried(model, head, passage.id, passage.text, passage)
    except HeadscriptError as error:
        show(False)
        st.warning(f"Weights are shown: {frame.as_text(str(error))}", icon=":material/warning:")
        return None
    own, program = contributed(compared.head, compared.program, z)
    return replace(compared, head=own, program=program)


@st.cache_resource(show_spinner="The model reads what each token carries", max_entries=64)
def _carried(model: ModelInfo, head: HeadId, passage: str, text: str, _passage: Passage) -> np.ndarray:
    from core.audit.contributed import carried

    live = live_model(model)
    with live.lock:
        return carried(live.loaded, _passage.features, head)

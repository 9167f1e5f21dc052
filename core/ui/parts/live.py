"""The model itself, in the app: for a text of one's own and for generated text."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from core.store.loaded import load_stored
from core.types import ModelInfo
from core.ui.parts import state

if TYPE_CHECKING:
    from core.models.pretrained import LoadedModel


@dataclass(frozen=True)
class LiveModel:
    """A loaded model, and who uses it: a hybrid changes it in place, so one at a time."""

    loaded: LoadedModel
    lock: Lock


def live_model(model: ModelInfo) -> LiveModel:
    """The model of the workspace; raises ModelError if it cannot be had or is another one by now."""
    with st.spinner("Loading the model; it stays loaded while the app runs"):
        return loaded_model(model)


@st.cache_resource(show_spinner=False, max_entries=1)
def loaded_model(model: ModelInfo) -> LiveModel:
    """`live_model` where no page is drawn."""
    return LiveModel(load_stored(model, state.owner().settings), Lock())

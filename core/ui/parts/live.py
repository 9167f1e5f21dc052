"""The model itself, in the app: for a text of one's own and for generated text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
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
    from core.models.pretrained import load  # brings transformers, which no other part of the app waits for

    settings = state.owner().settings
    found = load(
        model.name,
        settings.models_folder,
        settings.device,
        expected=model.id,
        dtype=settings.dtype,
        device_map=settings.device_map,
    )
    found = found.extracted(model.attention_layers)
    tokens = TokenStore(attention_folder(settings.workspace, model.id))
    return LiveModel(replace(found, pipeline=tokens.pipeline()), Lock())

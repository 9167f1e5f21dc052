"""The circuit of a model's best programs, read from the workspace."""

from __future__ import annotations

import streamlit as st

from core.review import Circuit
from core.sharing.circuit import best_circuit
from core.types import ModelInfo
from core.ui.parts import state


def current_circuit(model: ModelInfo) -> Circuit:
    """Every head's best program and what it looks at, as it is now."""
    return _circuit(model, state.version(), state.owner().workspace.verdicts.revision())


@st.cache_resource(show_spinner=False, max_entries=2)
def _circuit(model: ModelInfo, library: int, verdicts: int) -> Circuit:
    """Asked for are the revisions of both."""
    return best_circuit(state.owner().workspace, model)

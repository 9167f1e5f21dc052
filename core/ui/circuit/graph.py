"""The circuit of a model's best programs, read from the workspace."""

from __future__ import annotations

import streamlit as st

from core.language import references
from core.review import Circuit, Node, circuit
from core.types import Action, HeadId, ModelInfo, Split
from core.ui.parts import state

_WORDS = {Action.ACCEPT: "accepted", Action.REJECT: "rejected"}


def current_circuit(model: ModelInfo) -> Circuit:
    """Every head's best program and what it looks at, as it is now."""
    return _circuit(model, state.version(), state.owner().workspace.verdicts.revision())


@st.cache_resource(show_spinner=False, max_entries=2)
def _circuit(model: ModelInfo, library: int, verdicts: int) -> Circuit:
    """Asked for are the revisions of both."""
    workspace = state.owner().workspace
    decided = workspace.verdicts.decided(model.id)
    nodes = []
    for row in workspace.library.best_frame(model.id, Split.TEST).to_dict("records"):
        head = HeadId(int(row["layer"]), int(row["head"]))
        verdict = _WORDS[decided[head].action] if head in decided else "undecided"
        figures = float(row["iou"]), float(row["resolved"])
        nodes.append(Node(head, *figures, str(row["category"]), verdict, str(row["summary"])))
    programs = workspace.library.parsed_best(model.id)
    return circuit(nodes, {head: references(program) for head, program in programs.items()})

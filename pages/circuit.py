"""Circuit: which heads' programs look at which other heads, layer by layer."""

import streamlit as st

from core.display import counted
from core.review import Circuit
from core.sharing.figures import made
from core.types import ModelInfo
from core.ui.circuit import address
from core.ui.circuit.controls import choose_arrows
from core.ui.circuit.graph import current_circuit
from core.ui.circuit.view import draw_circuit
from core.ui.parts import frame
from core.ui.parts.figure import draw_figure_button


def draw_empty() -> None:
    """No program looks: say how to come by some."""
    st.info(
        "No program looks at another head yet. A search finds such programs where it may look at earlier "
        "heads (on Synthesize, or `python -m core synthesize --look layer`); or write "
        '`look("L0H1", q, k)` into a program on Review.',
        icon=":material/hub:",
    )
    st.page_link("pages/synthesize.py", label="Search for programs that look", icon=":material/auto_awesome:")
    st.page_link("pages/review.py", label="Write one on Review", icon=":material/rule:")


def in_words(found: Circuit) -> str:
    """What is drawn."""
    readers = {edge.reader for edge in found.edges}
    read = {edge.read for edge in found.edges}
    verb = "looks" if len(readers) == 1 else "look"
    arrows = counted(len(found.edges), "arrow")
    return (
        f"{counted(len(readers), 'program')} {verb} at {counted(len(read), 'head')}: {arrows}, "
        "each from the head that is read to its reader."
    )


@st.fragment
def draw_graph(model: ModelInfo, found: Circuit) -> None:
    kept, colour = choose_arrows(model)
    shown = found.kept(kept)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(in_words(shown), width="content")
        if shown.edges:
            figure = {"circuit": lambda: made.graph(model, shown)}
            draw_figure_button(figure, f"circuit-{model.title}", "circuit-figure")
    selected, stamp = address.follow_address(model)
    frame.warn_if_missing("head", not address.is_missing())
    opened = draw_circuit(
        model, shown, colour, selected, stamp, address.VIEW, lambda: address.write_address(model)
    )
    if opened is not None:
        frame.open_head(opened)


frame.through_app()
model = frame.model_or_stop("Circuit")
st.title(f"Circuit · {model.title}", anchor=False)
found = current_circuit(model)
if found.edges:
    draw_graph(model, found)
else:
    draw_empty()

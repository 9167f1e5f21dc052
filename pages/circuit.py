"""Circuit: which heads' programs look at which other heads, layer by layer."""

import streamlit as st

from core.display import counted
from core.review import Circuit
from core.sharing.figures import made
from core.types import ModelInfo
from core.ui.circuit import address
from core.ui.circuit.controls import choose_arrows, choose_colour
from core.ui.circuit.graph import current_circuit
from core.ui.circuit.view import draw_circuit
from core.ui.parts import frame
from core.ui.parts.figure import draw_figure_button


def draw_empty(heads: int) -> None:
    """The best programs of these heads do not look: say how to come by some that do."""
    text = f": those of {counted(heads, 'head')} read the text alone, so there are no arrows" if heads else ""
    st.info(
        f"No program looks at another head yet{text}. A search finds such programs where it may look at "
        "earlier heads (on Synthesize, or `python -m core synthesize --look layer`); or write "
        '`look("L0H1", q, k)` into a program on Review.',
        icon=":material/hub:",
    )
    with st.container(horizontal=True):
        st.page_link(
            "pages/synthesize.py", label="Search for programs that look", icon=":material/auto_awesome:"
        )
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


def draw_words(model: ModelInfo, shown: Circuit) -> None:
    """What is drawn, and the same for a paper."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(in_words(shown), width="content")
        if shown.edges:
            figure = {"circuit": lambda: made.graph(model, shown)}
            draw_figure_button(figure, f"circuit-{model.title}", "circuit-figure")


@st.fragment
def draw_graph(model: ModelInfo, found: Circuit) -> None:
    if found.edges:
        kept, colour = choose_arrows(model)
        shown = found.kept(kept)
        draw_words(model, shown)
    else:
        shown, colour = found, choose_colour()
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
if not found.edges:
    draw_empty(len(found.nodes))
if found.nodes:
    draw_graph(model, found)

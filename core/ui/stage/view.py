"""The scenes, drawn one at a time without sidebar and in large type."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
import streamlit as st

from core.display import counted, token_name
from core.display.canvas import script, style
from core.types import HeadId, ModelInfo, Split
from core.ui.heads import passages, why
from core.ui.parts import frame, state
from core.ui.parts.attention_view import Pins, draw_attention
from core.ui.parts.thumbnails import Group, Map, draw_thumbnails
from core.ui.stage.show import Edited, Show, Written, prepared

SCENES = ("A head", "Its program", "Why this weight", "An edit foreseen", "A hybrid that writes")
_stage = st.components.v2.component("headscript_stage", css=style("stage"), js=script("stage"))
_STYLE = """
<style>
  :root { font-size: clamp(17px, 1.42vw, 27px); }
  [data-testid=stSidebar], [data-testid=stHeader], [data-testid=stExpandSidebarButton] {
    display: none !important; }
  .block-container { padding: 1rem 2.4rem 3.4rem !important; max-width: 1700px; }
  h1 { font-size: 1.6rem !important; padding: 0 0 .3rem 0 !important; }
  [data-testid=stMarkdownContainer] p { font-size: 1.08rem; }
  [data-testid=stCode] code, [data-testid=stCode] pre {
    font-size: 0.68rem !important; line-height: 1.42 !important; }
  .st-key-stage-code { max-height: calc(100vh - 14rem); overflow-y: auto; }
  .st-key-stage-steps { position: fixed; left: 0; right: 0; bottom: 0; z-index: 5; padding: 0.45rem 2.4rem;
    background: light-dark(#ffffff, #11151d); border-top: 1px solid light-dark(#d9dee8, #2d3646); }
  .stage-text { font-size: 1.22rem; margin: 0 0 .8rem; line-height: 1.6; white-space: pre-wrap;
    overflow-wrap: anywhere; }
  .stage-text mark { background: #e08214; color: #1a1a1a; border-radius: .2rem; padding: 0 .15rem; }
  .stage-text del { opacity: .65; }
</style>
"""


def is_asked() -> bool:
    """Whether the address asks for the stage."""
    return st.query_params.get("stage") not in (None, "", "0")


def draw_stage() -> None:
    """The scene that the address names, and the steps to the others."""
    st.html(_STYLE)
    model = frame.model_or_stop("Stage")
    with st.container(key="stage-steps"):
        scene = _steps()
    place = st.empty()
    with place.container():
        st.markdown("Warming up: reading a passage, swapping a word, writing a text.")
    show = prepared(model, _named(model), state.version())
    with place.container():
        _DRAWN[scene - 1](model, show)


def _steps() -> int:
    """The scene that is shown, kept in the address."""
    asked = st.query_params.get("scene", "1")
    scene = int(asked) if asked in {str(number) for number in range(1, len(SCENES) + 1)} else 1
    held = (st.session_state.get("stage-scene") or {}).get("scene")
    if held is not None and held != st.session_state.get("stage-told"):
        st.session_state["stage-told"] = held
        scene = int(held)
        st.query_params["scene"] = str(scene)
    _stage(key="stage-scene", data={"scenes": list(SCENES), "scene": scene}, on_scene_change=lambda: None)
    return scene


def _named(model: ModelInfo) -> HeadId | None:
    try:
        head = HeadId.parse(st.query_params.get("head", ""))
    except ValueError:
        return None
    return head if head in model.head_ids() else None


def _title(text: str, words: str = "") -> None:
    st.title(text, anchor=False)
    if words:
        st.markdown(words)


def _draw_maps(show: Show, model: ModelInfo, panels: tuple[str, ...], pins: Pins) -> None:
    number = 10 * len(panels) + (pins.cell is not None)  # of this scene's pins
    draw_attention(
        show.compared, str(show.card.head), model.is_causal, pins, number, "stage-maps", lambda: None, panels
    )


def _draw_head(model: ModelInfo, show: Show) -> None:
    head = show.card.head
    _title(f"{head}: what does it look at?")
    maps, words = st.columns([0.62, 1.3], gap="large")
    with maps:
        _draw_maps(show, model, ("head",), Pins(show.pins.queries))
    query = show.pins.queries[0]
    token = token_name(show.compared.tokens[query])
    strongest = np.argsort(-show.compared.head[query])[:3]
    looked = ", ".join(
        f"“{token_name(show.compared.tokens[key])}” {show.compared.head[query, key]:.0%}" for key in strongest
    )
    told = (
        f"Head {head.head} of layer {head.layer}, one of {model.head_count} in {model.title}.",
        "Each row of the map is a token that looks, each column a token that is looked at.",
        f"On this passage, “{token}” looks at {looked}.",
    )
    words.html("".join(f'<p class="stage-text">{escape(sentence)}</p>' for sentence in told))


def _draw_program(model: ModelInfo, show: Show) -> None:
    card = show.card
    _title(f"{card.head}: its program", frame.as_text(card.summary))
    maps, code = st.columns([0.92, 1.08], gap="large")
    with maps:
        _draw_maps(show, model, ("head", "program"), Pins())
    with code:
        with st.container(key="stage-code"):
            st.code(card.program.source, language="python", wrap_lines=True)
        st.markdown(
            f"IoU **{card.iou(Split.TEST):.2f}** on passages that chose nothing, "
            f"{card.lift(Split.TEST):+.2f} over the best baseline."
        )


def _draw_why(model: ModelInfo, show: Show) -> None:
    tokens, (query, key) = show.compared.tokens, show.pins.cell or (0, 0)
    _title(
        f"Why does “{token_name(tokens[query])}” look at “{token_name(tokens[key])}”?",
        "The lines of the program that fired for this pair, and what each did to its weight.",
    )
    maps, reasons = st.columns([0.95, 1.05], gap="large")
    with maps:
        _draw_maps(show, model, ("head", "program"), show.pins)
    with reasons:
        program = passages.parsed(show.card.program.source)
        found = why.reasons_for(program, show.passage, show.looks, show.compared, model.is_causal, show.pins)
        why.draw_why(found, key="stage-why")


def _draw_edit(model: ModelInfo, show: Show) -> None:
    found = show.edited
    if isinstance(found, str):
        _title("An edit foreseen", frame.as_text(found))
        return
    after = found.tokens[found.place].strip()
    _title(f"One word is swapped: “{found.before.strip()}” becomes “{after}”")
    text, maps = st.columns([1, 1.7], gap="large")
    with text:
        st.html(f'<div class="stage-text">{_with_swap(found)}</div>')
        st.markdown(
            f"Told the new word, the program says how the head's attention changes: foresight "
            f"**{found.foresight:.2f}**. 1 is every change, 0 no better than “nothing changes”."
        )
        st.caption(
            f"Of {counted(found.tried, 'swap')} by a word of the same kind, the best foreseen among those "
            f"that move the head; over all of them the foresight is {found.overall:.2f}."
        )
    with maps:
        most = max(1e-6, float(np.abs(found.head).max()), float(np.abs(found.program).max()))
        shown = (
            Map("what the head changed", found.head / most, is_signed=True),
            Map("what the program foresaw", found.program / most, is_signed=True),
        )
        for at, (column, one) in enumerate(zip(st.columns(2), shown, strict=True)):
            with column:
                draw_thumbnails(
                    [Group(one.label, one.label, (one,))], model.is_causal, f"stage-edit-{at}", wide=True
                )
        st.caption(f"Orange: more weight than before, purple: less; the strongest is {most:.2f}.")


def _with_swap(found: Edited) -> str:
    """The text with the word that was there and the one that is."""
    parts = [escape(token) for token in found.tokens]
    new, old = parts[found.place], escape(found.before.strip())
    space = " " if new.startswith(" ") else ""
    parts[found.place] = f"{space}<del>{old}</del> <mark>{new.strip()}</mark>"
    return "".join(parts)


def _draw_writing(model: ModelInfo, show: Show) -> None:
    found = show.written
    if isinstance(found, str):
        _title("A hybrid that writes", frame.as_text(found))
        return
    share = found.heads / model.head_count
    _title(f"{found.heads} heads run as programs, and the model still writes")
    columns = st.columns(2, gap="large")
    names = f"{model.title}", f"The same with {share:.0%} of its heads as programs"
    for column, name, text in zip(columns, names, (found.model, found.hybrid), strict=True):
        column.markdown(f"**{frame.as_text(name)}**")
        column.html(f'<div class="stage-text">{_continued(found, text)}</div>')
    if found.cost:
        st.markdown(found.cost.replace("[", "&#91;"))


def _continued(found: Written, text: str) -> str:
    return f"<b>{escape(found.prompt)}</b>{escape(text)}"


_DRAWN: tuple[Callable[[ModelInfo, Show], None], ...] = (
    _draw_head,
    _draw_program,
    _draw_why,
    _draw_edit,
    _draw_writing,
)

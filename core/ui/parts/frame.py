"""Around every page: configuration, sidebar, and what to do when there is nothing yet."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from core.display import distinct
from core.display.canvas import FOLDER, script
from core.errors import HeadscriptError
from core.types import HeadId, ModelInfo
from core.ui.parts import state
from core.ui.parts.reviewer import draw_reviewer, in_address

_page = st.components.v2.component("headscript_page", js=script("page"))
_INSIDE_APP = "inside-app"
_STYLE = """
<style>
  .block-container { padding: 1rem 1.5rem; max-width: 1900px; }
  /* What opens the sidebar lies over the page's corner. */
  .stApp:has([data-testid=stExpandSidebarButton]) .block-container { padding-top: 3.4rem; }
  [data-testid=stHeader] { pointer-events: none; }
  [data-testid=stHeader] button { pointer-events: auto; }
  [data-testid=stLayoutWrapper]:has(> .st-key-told-to-the-browser),
  [data-testid=stLayoutWrapper]:has(> .st-key-help) { position: absolute; }
  /* Unless a person has drawn it wider. */
  [data-testid=stSidebar][data-collapsed=false][style*="width: 300px"] { width: 236px !important; }
  [data-testid=stSidebarHeader] { height: 2rem; }
  [data-testid=stSidebar] [data-testid=stSelectbox] input { font-size: .82rem; }
  [data-testid=stSidebarNav], [data-testid=stSidebarUserContent] { margin: 0 -14px; }
  /* What has the focus of the keyboard; Streamlit's own frames are grey, or half transparent. */
  :root { --focus: 2px solid light-dark(#3d5a9e, #9db4f0); }
  :is(a, button, summary, input, [role=tab], [role=button]):focus-visible,
  label:has(input:is([type=checkbox], [type=radio]):focus-visible),
  [data-testid=stSlider] div:has(> * > input:focus-visible) {
    outline: var(--focus) !important; outline-offset: 2px; box-shadow: none !important; }
  label input:is([type=checkbox], [type=radio]):focus-visible, [data-testid=stSlider] input:focus-visible,
  input:is([type=text], [type=number], [role=combobox]):focus-visible { outline: none !important; }
  :is([data-testid=stTextInputRootElement], [data-testid=stNumberInputContainer],
    [data-testid=stSelectbox] > div, [data-testid=stMultiSelect] > div):has(:focus-visible),
  [data-testid=stTextArea] textarea:focus-visible { outline: var(--focus) !important; border-radius: .4rem; }
  [data-testid=stSidebarNavLink]:focus-visible { outline-offset: -2px; }
  .mark-rect path:focus-visible { outline: none; stroke: light-dark(#11151f, #fff); stroke-width: 2.5px; }
  h1 { font-size: 1.5rem !important; padding: 0 0 .6rem 0 !important; }
  /* A narrow window, or a magnified page: columns go below each other before they are unreadable. */
  @media (max-width: 1000px) {
    [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
    [data-testid="stColumn"] { min-width: 12rem; }
    [data-testid="stColumn"] [data-testid="stColumn"] { min-width: 5rem; }
  }
  h2 { font-size: 1.1rem !important; }
  h2:not([slot=title]) { padding: .5rem 0 !important; } /* not a dialog's title, which keeps its margin */
  h3 { font-size: 1rem !important; }
  [data-testid="stMetricValue"] { font-size: 1.6rem; }
  [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
  /* Streamlit's own colours for these have a contrast below 4.5. */
  [data-testid="stCaptionContainer"] {
    opacity: 1 !important; color: light-dark(#5b6376, #a3abbd) !important; }
  [data-testid=stFileUploaderDropzoneInstructions] span { white-space: normal; }
  svg :is(.role-axis-label, .role-axis-title, .role-legend-label, .role-legend-title) text {
    fill: light-dark(#5b6376, #a3abbd); }
  .token.keyword, .token.function { color: light-dark(#1259b0, #6cb0f5) !important; }
  .token.string { color: light-dark(#0b6e2c, #4fc97a) !important; }
  .token.number, .token.boolean { color: light-dark(#0f6c63, #45c7b8) !important; }
  .token.operator { color: light-dark(#a34a08, #f09a56) !important; }
  .token.inserted { color: light-dark(#1259b0, #6cb0f5) !important; }
  .token.unchanged { color: inherit !important; }
  .token.deleted { color: light-dark(#a34a08, #f09a56) !important; }
  .token.punctuation { color: light-dark(#5b6376, #a3abbd) !important; }
  .react-syntax-highlighter-line-number { color: light-dark(#6b7386, #8b93a5) !important; }
  [data-testid^="stBaseButton"] kbd { opacity: .8 !important; }
  [data-testid="stSliderThumbValue"],
  [data-variant="pills"][aria-pressed="true"] p,
  [aria-checked="true"][role="radio"] p, [aria-selected="true"][role="tab"] p {
    color: light-dark(#3d5a9e, #9db4f0) !important; }
</style>
"""

_LINK = re.compile(r"((?:\w+://|www\.|[^\s@`]+@)[^\s`]+)", re.IGNORECASE)
_MARKS = re.compile(r"[\\`*_{}\[\]()<>#+\-.!$~|:\"']")


def pages() -> list[Any]:
    """The app's pages, in the order of the sidebar, and one that nobody sees."""
    return [
        # Its address is the app's own, whatever is said here; `/overview`, which people type, leads there.
        st.Page(
            "pages/overview.py",
            title="Overview",
            icon=":material/grid_view:",
            url_path="start",
            default=True,
        ),
        st.Page(_to_overview, title="Overview", url_path="overview", visibility="hidden"),
        st.Page("pages/heads.py", title="Heads", icon=":material/center_focus_strong:"),
        st.Page("pages/circuit.py", title="Circuit", icon=":material/hub:"),
        st.Page("pages/synthesize.py", title="Synthesize", icon=":material/auto_awesome:"),
        st.Page("pages/audit.py", title="Audit", icon=":material/fact_check:"),
        st.Page("pages/review.py", title="Review", icon=":material/rule:"),
        st.Page("pages/hybrid.py", title="Hybrid", icon=":material/call_merge:"),
        st.Page("pages/library.py", title="Library", icon=":material/menu_book:"),
    ]


def _to_overview() -> None:
    st.switch_page("pages/overview.py", query_params=st.query_params.to_dict())


def through_app() -> None:
    """Make sure that app.py surrounds the page; every page calls this first.

    Until a server has run app.py once, Streamlit takes pages/ for its older kind of multipage app and
    answers a deep link with the bare page. Declaring the navigation ends that, and a rerun sets it right.
    """
    if not st.session_state.get(_INSIDE_APP):
        st.navigation(pages())
        st.session_state[_INSIDE_APP] = True
        st.rerun()


def configure() -> None:
    """Page configuration; then stop with a message if the workspace cannot be opened."""
    # An icon by its name would be fetched from a font server.
    st.set_page_config("Headscript", FOLDER / "icon.svg", layout="wide")
    st.session_state[_INSIDE_APP] = True
    st.html(_STYLE)
    with st.container(key="told-to-the-browser"):
        _page(key="page")
    try:
        state.owner()
    except HeadscriptError as error:
        st.error(as_text(str(error)), icon=":material/lock:")
        if st.button("Try again", icon=":material/refresh:"):
            st.rerun()
        st.stop()


def draw_sidebar() -> None:
    """Model and reviewer."""
    with st.sidebar:
        models = {model.id: model for model in state.models()}
        if models:
            st.selectbox(
                "Model",
                list(models),
                format_func=distinct({name: model.title for name, model in models.items()}).__getitem__,
                key="model",
                persist_state="session",
            )
            model = models[st.session_state["model"]]
            st.caption(
                f"{model.architecture} · {model.layers} layers × {model.heads} heads · "
                f"{model.parameters / 1e6:,.0f} M parameters"
            )
            for sentence in model.traits.words:
                st.caption(as_text(sentence))
            draw_reviewer()


def as_text(text: str) -> str:
    """A program's or person's words for a place that reads Markdown: every mark stands for itself.

    What a browser would make a link of, an address or an e-mail, stands as code: no escape prevents the link.
    """
    return "".join(
        f"`{part}`" if _LINK.fullmatch(part) else _MARKS.sub(r"\\\g<0>", part) for part in _LINK.split(text)
    )


def open_head(head: HeadId) -> None:
    """Go to the page of a head; the reviewer stays."""
    place = {"layer": str(head.layer), "head": str(head.head)}
    st.switch_page("pages/heads.py", query_params=place | in_address())


def warn_if_missing(what: str, is_here: bool) -> None:
    """Say that a link led to a `what` that is not here."""
    if not is_here:
        st.warning(
            f"The link leads to a {what} that is not in this workspace, or belongs to another model.",
            icon=":material/link_off:",
        )


def model_or_stop(title: str, with_programs: bool = True) -> ModelInfo:
    """The chosen model, if `with_programs` one that has some; else say what to do and stop the page."""
    model = state.chosen_model()
    if model is not None and (not with_programs or state.has_programs(model)):
        return model
    st.title(title)
    job = state.running_job()
    if job is not None:
        st.info(
            "The workspace is being built; heads appear here as they are done.",
            icon=":material/hourglass_top:",
        )
    else:
        st.info(
            "There is no program to show yet. Build the demo workspace from the Overview, "
            "or bring your own model with `python -m core extract` and `python -m core synthesize`.",
            icon=":material/info:",
        )
    st.page_link("pages/overview.py", label="Go to the Overview", icon=":material/grid_view:")
    st.stop()

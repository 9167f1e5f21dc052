"""Library: every program, searchable; one program and the heads it fits; two programs compared."""

from datetime import date
from hashlib import sha256

import pandas as pd
import streamlit as st

from core.display import counted
from core.errors import HeadscriptError
from core.sharing.accepted import curated_report
from core.sharing.archive import unzipped
from core.sharing.decisions import export_lines, import_lines
from core.sharing.figures import made
from core.types import ModelInfo
from core.ui.library import view
from core.ui.library.plain import take_in_plain
from core.ui.library.site import draw_site
from core.ui.parts import frame, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.reviewer import in_address


def draw_search(programs: pd.DataFrame) -> pd.DataFrame:
    """The programs that the controls leave, in their order."""
    words, categories, origins, verdicts, more, order = st.columns(
        [2.2, 1, 1, 1, 0.9, 1.2], vertical_alignment="bottom"
    )
    found = view.matching(
        programs,
        words.text_input("Search code, words, head, behaviour", key="search", bind="query-params"),
        categories.multiselect(
            "Category", sorted(programs.category.unique()), key="library-categories", placeholder="all"
        ),
        origins.multiselect(
            "Origin", sorted(programs.origin.unique()), key="library-origins", placeholder="all"
        ),
        verdicts.multiselect("Verdict", view.VERDICT_NAMES, key="library-verdicts", placeholder="any"),
    )
    with more:
        found = draw_more(found)
    columns, ascending = view.SORTS[order.selectbox("Order", list(view.SORTS), key="library-order")]
    return found.sort_values(columns, ascending=ascending, kind="stable")


def draw_more(programs: pd.DataFrame) -> pd.DataFrame:
    """What further controls leave: of lift, of who decided, and of when."""
    names = sorted({name for said in programs.reviewers for name in said})
    in_use = sum(st.session_state.get(key) not in (None, []) for key in _MORE)
    label = f"More · {in_use}" if in_use else "More"
    with st.popover(label, key="library-more", width="stretch"):
        lift = st.number_input(
            "Lift at least", -1.0, 1.0, None, 0.05, key="library-lift", placeholder="any",
            help="IoU beyond the best baseline of the head that the program fits best, on validation",
        )  # fmt: skip
        reviewers = st.multiselect("Decided by", names, key="library-reviewers", placeholder="anybody")
        since = st.date_input("Decided on or after", None, key="library-since")
    return view.narrowed(programs, reviewers, since, lift)


_MORE = ("library-lift", "library-reviewers", "library-since")


def draw_list(model: ModelInfo, programs: pd.DataFrame) -> list[str]:
    """The search and a page of its programs; the ids of those picked."""
    found = draw_search(programs)
    pages = max(1, -(-len(found) // view.PAGE_ROWS))
    page = 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{len(found):,} of {len(programs):,} programs · pick one to open it, two to compare them",
            width="content",
        )
        if pages > 1:
            page = st.number_input(
                "Page", 1, pages, 1, key="library-page", width=110, label_visibility="collapsed"
            )
            st.caption(f"of {pages} pages", width="content")
        draw_figure_button(
            {"table": lambda: made.library_table(model, found)}, f"library-{model.title}", "library-figure"
        )
    first = (int(page) - 1) * view.PAGE_ROWS
    shown = found.iloc[first : first + view.PAGE_ROWS]
    if shown.empty:
        st.info("No program is left by words and filters.", icon=":material/search_off:")
        return []
    # Rows are picked by their number: in another list nothing is picked yet.
    listed = sha256(",".join(shown.program_id).encode()).hexdigest()[:16]
    return view.draw_table(model, shown, key=f"library-table-{listed}")


def draw_exchange(model: ModelInfo) -> None:
    """Decisions out and in, and the report."""
    workspace = state.owner().workspace
    with st.expander("Export and import", icon=":material/import_export:"):
        left, right = st.columns(2, gap="large")
        with left:
            st.download_button(
                "Decisions as JSON lines",
                lambda: "".join(export_lines(workspace)),
                file_name="decisions.jsonl",
                icon=":material/download:",
                on_click="ignore",
                help="Every verdict of every reviewer, with the programs they are about",
            )
            st.download_button(
                "Report of the accepted programs (HTML)",
                lambda: curated_report(workspace, model),
                file_name=f"headscript-{model.title}-{date.today()}.html",
                icon=":material/download:",
                on_click="ignore",
                help="One file with code, figures and maps; opens without a network",
            )
            draw_site(model)
        with right:
            given = st.file_uploader(
                "Decisions of another workspace, a hybrid, or programs in plain Python",
                type=["jsonl", "zip", "py"],
                key="decisions-file",
            )
            if given is not None and st.button("Take them in", key="import-decisions"):
                if given.name.endswith(".zip"):
                    take_in_hybrid(given.getvalue())
                elif given.name.endswith(".py"):
                    take_in_plain(model, given.name, given.getvalue())
                else:
                    take_in(model, given.getvalue())


def take_in(model: ModelInfo, content: bytes) -> None:
    """Import decisions and score the programs that came with them."""
    owner = state.owner()
    try:
        found = import_lines(owner.workspace, content.decode("utf-8").split("\n"))
    except (HeadscriptError, UnicodeDecodeError) as error:
        st.error(f"Nothing was taken in: {frame.as_text(str(error))}", icon=":material/error:")
        return
    st.success(
        f"{found.verdicts} verdicts and {found.programs} programs taken in; {found.known} were here already."
    )
    if found.unscored:
        owner.runner.start_scoring(model, list(found.unscored))
        st.caption("The new programs are being scored.")


def take_in_hybrid(content: bytes) -> None:
    """Import a hybrid that was downloaded as a zip file."""
    from core.sharing.hybrid_folder import import_hybrid  # imports transformers

    try:
        with unzipped(content) as folder:
            hybrid, heads = import_hybrid(state.owner().workspace, folder)
    except HeadscriptError as error:
        st.error(f"Nothing was taken in: {frame.as_text(str(error))}", icon=":material/error:")
        return
    st.success(
        f"A hybrid of {counted(heads, 'head')} was taken in; what it costs here is still to be measured."
    )
    st.page_link(
        "pages/hybrid.py", label="Open it", icon=":material/call_merge:",
        query_params={"hybrid": hybrid} | in_address(),
    )  # fmt: skip


def draw_picked(model: ModelInfo, programs: pd.DataFrame, picked: list[str]) -> None:
    """The program or the two programs that are picked in the table, else those in the address."""
    names = picked[:2] or [st.query_params.get(name, "") for name in ("program", "and")]
    rows = [
        programs[programs.program_id == name].iloc[0] for name in names if name in set(programs.program_id)
    ]
    frame.warn_if_missing("program", len(rows) == sum(map(bool, names)))
    for name, row in zip(("program", "and"), [*rows, None, None], strict=False):
        if row is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = row.program_id
    if len(rows) == 2:
        view.draw_comparison(model, *rows)
    elif rows:
        view.draw_program(model, rows[0])


frame.through_app()
model = frame.model_or_stop("Library")
programs = view.catalogue(model)
st.title(f"Library · {len(programs):,} programs", anchor=False)
picked = draw_list(model, programs)
draw_picked(model, programs, picked)
draw_exchange(model)

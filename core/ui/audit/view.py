"""The Audit page's parts: the ladder, the table, figures against one another, one head's sheet."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from core.audit import AUDITS, RUNGS, RungName, Standing, ready
from core.display import RUNG_MARKS
from core.display import RUNGS as RUNG_COLOURS
from core.display.glossary import meaning
from core.review import heads_named
from core.sharing.audit_table import FIGURE_OF, Found, as_csv, heads_by_audits
from core.sharing.figures import made
from core.sharing.figures.audits import audit_table, head_figures, scatter
from core.sharing.png import palette_png
from core.sharing.sheet import sheet
from core.store.findings import StoredFinding
from core.types import CardId, HeadId, ModelInfo, Split
from core.ui.parts import frame, jobs, state
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.finding import VERDICT_WORDS, draw_finding, draw_finding_figures
from core.ui.parts.reviewer import in_address

_MEANING: dict[RungName, str] = {
    "untestable": "The head does too little to judge a program by, or too few passages tell",
    "position only": (
        "Not clearly better than the text-blind twin, in what it attends to or in what is written"
    ),
    "fits, does not foresee": "Better than the twin, but when a word is changed it does not say what happens",
    "explains": "Better than the twin in what it attends to and in what is written, and it foresees edits",
}
_READ = ("the heads", "their programs (resolved)")
_RESOLVED = (
    " **Resolved**: programs that look at other heads read what the resolved programs of those say, down to "
    "text, before an edit and after it; no attention of the model is left in any of these figures."
)
_CELL = 14  # pixels of a head in the picture


@st.cache_resource(show_spinner=False, max_entries=2)
def _found(
    model: str, revision: tuple[object, ...], is_resolved: bool
) -> tuple[dict[CardId, dict[str, StoredFinding]], dict[CardId, Standing]]:
    workspace = state.owner().workspace
    chains = workspace.library.best_chains(model) if is_resolved else None
    return workspace.findings.of_programs(model, chains), workspace.findings.standings(model, chains)


def best_found(
    model: ModelInfo, is_resolved: bool
) -> tuple[dict[CardId, dict[str, StoredFinding]], dict[CardId, Standing]]:
    """What audits found of each head's best program, and where it stands."""
    workspace = state.owner().workspace
    revision = workspace.findings.revision(model.id), workspace.library.revision()
    found, known = _found(model.id, revision, is_resolved)
    best = workspace.library.best_programs(model.id)
    return (
        {card: found[card] for card in best if card in found},
        {card: known[card] for card in best if card in known},
    )


def asks_resolved(model: ModelInfo) -> bool:
    """Whether programs that look read other programs; asked where there are any."""
    if not any(program.looks for program in state.owner().workspace.library.parsed_best(model.id).values()):
        return False
    chosen = st.segmented_control(
        "Programs that look read",
        _READ,
        default=_READ[0],
        key="audit-read",
        help="Given the heads, a program that looks reads what those heads really attend to, also after an "
        "edit. Resolved, it reads what their programs say: no attention of the model is left in it.",
    )
    return chosen == _READ[1]


def draw_start(model: ModelInfo, audited: int, is_resolved: bool) -> None:
    """The button that audits every head's best program, or some."""
    owner = state.owner()
    jobs.draw_where()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = st.text_input(
            "Heads",
            placeholder=("all, or L0H1,L3H*"),
            key=("audit-heads"),
            width=220,
            label_visibility=("collapsed"),
        )
        label = "Audit all heads again" if audited else "Audit all heads"
        if names.strip():
            label = "Audit these heads"
        if st.button(label, type="secondary" if audited else "primary", icon=":material/fact_check:"):
            best = owner.workspace.library.best(model.id, Split.VALIDATION)
            sources = {one.score.head: one.program.source for one in best}

            def start() -> str:
                chosen = heads_named(names, model) if names.strip() else model.head_ids()
                programs = {head: sources[head] for head in chosen if head in sources}
                audits = ready("program", model.is_causal, is_resolved)
                return owner.runner.start_program_audits(model, audits, programs, is_resolved)

            jobs.start(start)


def draw_ladder(model: ModelInfo, standings: list[Standing], is_resolved: bool) -> None:
    """How many heads stand on each rung, and what the figures come to."""
    columns = st.columns(len(RUNGS))
    for column, rung in zip(columns, reversed(RUNGS), strict=True):
        count = sum(one.rung == rung for one in standings)
        column.metric(
            f"{RUNG_MARKS[rung]} {rung}",
            count,
            f"{count / max(1, len(standings)):.0%}",
            help=_MEANING[rung],
            delta_color="off",
            delta_arrow="off",
        )
    st.markdown(_sentence(standings))
    st.caption(
        f"Of {len(standings)} of {len(model.head_ids())} heads, each with its best program, on test "
        "passages. A rung is earned where 95 % intervals over passages lie above 0.01; of those that pass a "
        "test among all heads no more than one in twenty is expected to by luck (Benjamini and Hochberg)."
        + (_RESOLVED if is_resolved else _given(standings))
    )


def _given(standings: list[Standing]) -> str:
    looking = sum(bool(one.given) for one in standings)
    if not looking:
        return ""
    return (
        f" **Given the heads**: {looking} of these programs look at other heads, and are judged with what "
        "those really attend to, before an edit and after it; what programs alone would foresee is not said."
    )


def _sentence(standings: list[Standing]) -> str:
    """The means in one sentence, each with what it means."""

    def known(figure: str) -> list[float]:
        return [value for one in standings if math.isfinite(value := getattr(one, figure))]

    def mean(figure: str) -> str:
        return f"**{np.mean(known(figure)):.3f}**" if known(figure) else "–"

    def median(figure: str) -> str:
        return f"**{round(float(np.median(known(figure))), 2) + 0.0:.2f}**" if known(figure) else "–"

    return (
        f"Programs share {mean('iou')} of attention with their heads (mean IoU); a twin that knows position "
        f"only shares {mean('twin_iou')}. Off the resting places programs share {mean('off_sink')}. With its "
        f"program the median head would write {median('output_error')} of its output differently (1: as far "
        f"off as writing nothing); of what an edit changes in it the program foresees {median('foresight')}."
    )


def draw_table(found: Found, standings: dict[CardId, Standing]) -> tuple[CardId, str] | None:
    """Heads and audits; which cell is picked: a card, and an audit if the column is one's."""
    table = heads_by_audits(found, standings)
    kept = st.pills(
        "Only",
        [r for r in reversed(RUNGS) if r in set(table.rung)],
        selection_mode="multi",
        key="audit-rungs",
        format_func=lambda rung: f"{RUNG_MARKS[rung]} {rung}",
        label_visibility="collapsed",
    )
    table = (table[table.rung.isin(kept)] if kept else table).sort_values(
        ["place", "layer", "head"], ascending=[False, True, True], kind="stable"
    )
    audits = [name for name in (*FIGURE_OF, *AUDITS) if name in table.columns]
    audits = list(dict.fromkeys(audits))
    shown = table.assign(rung=[f"{RUNG_MARKS[rung]} {rung}" for rung in table.rung])
    titles = {name: AUDITS[name].title.lower() if name in AUDITS else name for name in audits}
    event = st.dataframe(
        shown[["name", "rung", "iou", *audits]],
        hide_index=True,
        height=380,
        on_select="rerun",
        selection_mode="single-cell",
        key=f"audit-table-{'-'.join(kept or [])}",
        column_config={
            "name": st.column_config.TextColumn("head", width=70, pinned=True),
            "rung": st.column_config.TextColumn(width=175, help=meaning("Rung")),
            "iou": st.column_config.NumberColumn("IoU", format="%.2f", width=60, help=meaning("IoU")),
            **{name: _column(name, titles[name]) for name in audits},
        },
    )
    st.caption("Click a column's name to sort, a cell to see what lies behind it.")
    cells = event.selection.cells
    if not cells:
        return None
    row, column = cells[0]
    picked = table.iloc[int(row)]
    card = HeadId(int(picked["layer"]), int(picked["head"])), str(picked["program_id"])
    return card, column if column in audits else ""


def _column(name: str, title: str) -> Any:
    audit = AUDITS.get(name)
    told = f"{FIGURE_OF.get(name, 'verdict')}. {audit.question}" if audit else ""
    if name not in FIGURE_OF:
        return st.column_config.TextColumn(title, help=told)
    return st.column_config.NumberColumn(title, help=told, format="%+.2f" if name == "twin" else "%.2f")


def draw_exports(model: ModelInfo, found: Found, standings: dict[CardId, Standing]) -> None:
    """The table and the map of rungs as figures, every figure as CSV, and the map as a small picture."""
    workspace = state.owner().workspace
    with st.container(horizontal=True):
        draw_figure_button(
            {
                "table": lambda: audit_table(model, found, standings),
                "map": lambda: made.head_map(workspace, model, "audits"),
            },
            f"audits-{model.title}",
            "audits-figure",
        )
        st.download_button(
            "All figures (CSV)",
            lambda: as_csv(found, standings),
            file_name=f"audits-{model.title}.csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Map of rungs (PNG)",
            lambda: rung_picture(model, {head: one.rung for (head, _), one in standings.items()}),
            file_name=f"audits-{model.title}.png",
            icon=":material/download:",
            on_click="ignore",
            help="Layers from left to right, heads from top to bottom; dark blue explains, light blue fits, "
            "orange is position only, grey untestable",
        )


def rung_picture(model: ModelInfo, rungs: dict[HeadId, RungName]) -> bytes:
    """A PNG of the heads' rungs, layers from left to right."""
    names = list(RUNG_COLOURS)
    cells = np.full((model.heads, model.layers), names.index("not audited"), np.uint8)
    for head, rung in rungs.items():
        cells[head.head, head.layer] = names.index(rung)
    pixels = np.kron(cells, np.ones((_CELL, _CELL), np.uint8))
    pixels[::_CELL], pixels[:, ::_CELL] = len(names), len(names)
    return palette_png(pixels, [*RUNG_COLOURS.values(), "#ffffff"])


def draw_figures(model: ModelInfo, found: Found, standings: dict[CardId, Standing]) -> None:
    """Two figures against each other, a point a head, with their rank correlation."""
    figures = head_figures(state.owner().workspace, model, found)
    names = [name for name in figures.columns if figures[name].nunique() > 2]
    if len(names) < 2 or len(figures) < 3:
        return
    across, up, _ = st.columns([1, 1, 1.4])
    x = across.selectbox("Across", names, names.index("IoU") if "IoU" in names else 0, key="audit-x")
    y = up.selectbox(
        "Up", names, names.index("output error") if "output error" in names else 1, key="audit-y"
    )
    paper = scatter(model, figures, standings, x, y)
    points = pd.DataFrame(
        [(one.across, one.up, one.name, one.kind) for one in paper.points], columns=["x", "y", "head", "rung"]
    )
    chart = (
        alt.Chart(points)
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(
            x=alt.X("x:Q", title=x, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", title=y, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "rung:N",
                title="audits say",
                scale=alt.Scale(domain=list(RUNG_COLOURS), range=list(RUNG_COLOURS.values())),
            ),
            tooltip=[
                "head:N",
                "rung:N",
                alt.Tooltip("x:Q", title=x, format=".3f"),
                alt.Tooltip("y:Q", title=y, format=".3f"),
            ],
        )
        .properties(height=330)
    )
    st.altair_chart(chart, width="stretch")
    st.caption(f"{paper.caption} Near 0, one figure does not tell the other.")
    draw_figure_button({"points": lambda: paper}, f"figures-{model.title}", "points-figure")


def draw_sheet(
    model: ModelInfo, card: CardId, findings: dict[str, StoredFinding], standing: Standing | None, opened: str
) -> None:
    """Everything that audits found of one head's program; the one that was picked is open."""
    head, program = card
    stored = state.owner().workspace.library.program(program)
    source = stored.source if stored else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        rung = "not on the ladder" if standing is None else f"{RUNG_MARKS[standing.rung]} {standing.rung}"
        st.header(f"{head} · {rung}", anchor=False, width="content")
        place = {"layer": str(head.layer), "head": str(head.head), "program": program}
        st.page_link(
            "pages/heads.py",
            label="Open the head",
            icon=":material/center_focus_strong:",
            query_params=place | in_address(),
        )
        st.download_button(
            "Sheet to print (HTML)",
            lambda: sheet(
                model,
                head,
                source,
                {name: one.finding for name, one in findings.items()},
                standing,
                datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            ),
            file_name=f"audit-{head}.html",
            icon=":material/print:",
            on_click="ignore",
        )
        plain = {name: one.finding for name, one in findings.items()}
        draw_finding_figures(f"{model.title} {head}", plain)
    if standing is not None:
        st.markdown(frame.as_text(standing.why))
    code, audits = st.columns([1, 1.4], gap="medium")
    code.code(source, language="python", wrap_lines=True)
    with audits:
        order = [name for name in AUDITS if name in findings] + [n for n in findings if n not in AUDITS]
        for name in order:
            audit, finding = AUDITS.get(name), findings[name].finding
            title = frame.as_text(audit.title if audit else name)
            with st.expander(f"**{title}** · {VERDICT_WORDS[finding.verdict]}", expanded=name == opened):
                if audit:
                    st.caption(frame.as_text(f"{audit.question} {audit.about}".strip()))
                draw_finding(finding, f"sheet-{head}-{name}")
                if audit and audit.sources:
                    st.caption("After " + frame.as_text("; ".join(audit.sources)))

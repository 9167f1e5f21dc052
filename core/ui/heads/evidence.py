"""Below the attention view: programs of this head, similar heads, sentences, and weights as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from core.audit import ready
from core.display.glossary import meaning
from core.maps import first_within
from core.scoring import FITS, head_ious
from core.sharing.figures import TableFigure
from core.sharing.figures.of_head import passage_histogram, program_table
from core.types import HeadId, ModelInfo, Split
from core.ui.heads import address
from core.ui.parts import jobs, state
from core.ui.parts.attention_view import Pins
from core.ui.parts.charts import iou_bars
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.finding import draw_findings
from core.ui.parts.state import SideBySide
from core.ui.parts.verdict_row import WORDS

_COMPARED_SENTENCES = 32  # enough for a ranking; all of them would take seconds more
_COMPARED_CELLS = 2**25  # float32, of all heads: 134 MB
_NEIGHBOURS = 12


def draw_programs(scores: pd.DataFrame, shown: str, model: ModelInfo, head: HeadId) -> None:
    """Every program listed for this head, with IoU, lifts and verdict; choosing a row shows it."""
    owner = state.owner()
    twin = owner.workspace.findings.twins(model.id).get(head)
    standing = owner.workspace.verdicts.standing(model.id)
    verdicts = {v.program: WORDS[v.action] for v in standing if v.head == head}
    names = [str(name) for name in scores.program_id]
    table = scores.assign(
        verdict=[verdicts.get(name, "") for name in names],
        shown=["●" if name == shown else "" for name in names],
        over_twin=math.nan if twin is None else scores.validation - twin,
    )
    over = [] if twin is None else ["over_twin"]
    key = f"programs-{head}-{shown}"

    def choose() -> None:
        rows = st.session_state[key].selection.rows
        if rows:
            address.open_program(names[rows[0]])

    st.dataframe(
        table[["shown", "summary", "test", "lift", *over, "verdict", "category", "origin"]],
        key=key,
        hide_index=True,
        height=300,
        on_select=choose,
        selection_mode="single-row",
        column_config={
            "shown": st.column_config.TextColumn("●", width=24, help="The one that is shown"),
            "summary": st.column_config.TextColumn("program", width=195),
            "test": st.column_config.ProgressColumn(
                "IoU, test", min_value=0, max_value=1, format="%.2f", width=105, help=meaning("IoU")
            ),
            "lift": st.column_config.NumberColumn(format="%+.2f", width=55, help=meaning("Lift")),
            "over_twin": st.column_config.NumberColumn(
                "over twin",
                format="%+.2f",
                width=75,
                help=f"IoU beyond the head's twin, validation. {meaning('Text-blind twin')}",
            ),
            "verdict": st.column_config.TextColumn(width=90, help=meaning("Verdict")),
        },
    )
    figures = {"table": lambda: program_table(owner.workspace, model, head)}
    draw_figure_button(figures, f"{model.title}-{head}-programs", "programs-figure")


@st.cache_data(show_spinner="Comparing all heads, once", max_entries=4)
def _similarities(model: ModelInfo, version: int) -> np.ndarray | None:
    """IoU between every two heads on validation sentences; None if there are none."""
    held = [s.id for s in state.of_splits(model, [Split.VALIDATION])]
    held = held[:: max(1, len(held) // _COMPARED_SENTENCES)][:_COMPARED_SENTENCES]
    if not held:
        return None
    lengths = state.features(model.id, tuple(held)).lengths
    cells = _COMPARED_CELLS // len(model.head_ids())
    chosen = held[: first_within(lengths, model.is_causal, cells)]
    reader = state.owner().workspace.attention(model.id).restricted(chosen)
    return head_ious((reader.layer(layer) for layer in model.attention_layers), chosen, model.is_causal)


def draw_similar(model: ModelInfo, head: HeadId, program: str) -> None:
    """Heads that attend alike, and heads that the program fits too; a click opens one."""
    similar = _similarities(model, state.version())
    heads = model.head_ids()
    if similar is not None:
        row = similar[heads.index(head)]
        order = [at for at in np.argsort(-row) if heads[at] != head][:_NEIGHBOURS]
        st.caption("Heads with similar attention: IoU between the heads on validation sentences")
        _head_buttons("similar", ((heads[at], float(row[at])) for at in order))
    fits = state.owner().workspace.library.heads_fitted(model.id, program, FITS)
    others = [(other, iou) for other, iou in fits if other != head]
    st.caption(f"This program fits {len(others)} other heads with a validation IoU of {FITS} or more")
    _head_buttons("fits", others[:_NEIGHBOURS])


def _head_buttons(group: str, heads: Iterable[tuple[HeadId, float]]) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for head, iou in heads:
            st.button(f"{head} · {iou:.2f}", key=f"{group}-{head}", on_click=address.open_head, args=(head,))


def draw_distribution(ious: Mapping[str, float], here: float, title: str) -> None:
    """How the IoU is distributed over the sentences to choose from, and where this one lies."""
    bars = iou_bars(pd.DataFrame({"iou": list(ious.values())}), "IoU of a sentence", "sentences")
    mark = alt.Chart(pd.DataFrame({"iou": [here]}))
    rule = mark.mark_rule(color="#e08214", strokeWidth=3).encode(x="iou:Q")
    st.altair_chart(alt.layer(bars, rule).properties(height=200), width="stretch")
    numbers = np.array(list(ious.values()))
    st.caption(
        f"This sentence (orange): {here:.3f}. The {len(numbers)} listed: mean {numbers.mean():.3f}, "
        f"median {np.median(numbers):.3f}, worst {numbers.min():.3f}, best {numbers.max():.3f}"
    )
    figures = {"histogram": lambda: passage_histogram(title, list(ious.values()), "The sentences listed")}
    draw_figure_button(figures, f"{title}-sentences", "sentences-figure")


def draw_weights(compared: SideBySide, pins: Pins, title: str) -> None:
    """The attention view as a table: all weights of the pinned queries, or the largest of all."""
    if pins.queries:
        words = " + ".join(f"“{compared.tokens[query].strip()}”" for query in pins.queries)
        st.caption("All weights, exactly, of the pinned queries, summed" if len(pins.queries) > 1 else
                   "All weights, exactly, of the pinned query")  # fmt: skip
        table = row_weights(compared, pins.queries).assign(query=words)
    else:
        st.caption("The head's 50 largest weights; pin a token to see all of its own")
        table = largest_weights(compared, 50)
    numbers = {
        name: st.column_config.NumberColumn(format="%.4f") for name in ("head", "program", "difference")
    }
    shown = table[["query", "key", *numbers]]
    st.dataframe(shown, hide_index=True, height=300, column_config=numbers)
    draw_figure_button(
        {"table": lambda: TableFigure.of(f"{title}: weights", shown, "The largest weights.")},
        f"{title}-weights",
        "weights-figure",
    )


def draw_audits(model: ModelInfo, head: HeadId, program: str, source: str) -> None:
    """What audits found of this program on this head, and the button that runs them."""
    owner = state.owner()
    findings = owner.workspace.findings.of_program(model.id, head, program)
    draw_findings(findings, "No audit has been run on this program yet.", f"{model.title} {head}")
    if st.button("Audit this program", icon=":material/fact_check:", key="audit-program"):
        jobs.start(lambda: owner.runner.start_program_audits(model, ready("program"), {head: source}))


def row_weights(compared: SideBySide, queries: tuple[int, ...]) -> pd.DataFrame:
    """Every key's weight summed over these queries, the head's largest first."""
    head, program = (one[list(queries)].sum(0) for one in (compared.head, compared.program))
    keys = np.flatnonzero((head > 0) | (program > 0))
    keys = keys[np.argsort(-head[keys], kind="stable")]
    names = [f"{key}: {compared.tokens[key].strip()}" for key in keys]
    return pd.DataFrame(
        {"key": names, "head": head[keys], "program": program[keys], "difference": (head - program)[keys]}
    )


def largest_weights(compared: SideBySide, count: int) -> pd.DataFrame:
    """The head's largest weights, each with its query and key."""
    order = np.argsort(-compared.head, axis=None, kind="stable")[:count]
    queries, keys = np.unravel_index(order, compared.head.shape)
    head, program = compared.head[queries, keys], compared.program[queries, keys]
    return pd.DataFrame(
        {
            "query": [f"{query}: {compared.tokens[query].strip()}" for query in queries],
            "key": [f"{key}: {compared.tokens[key].strip()}" for key in keys],
            "head": head,
            "program": program,
            "difference": head - program,
        }
    )

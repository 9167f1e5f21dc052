"""Heads: one head and one program side by side on one sentence."""

import pandas as pd
import streamlit as st

from core.errors import ProgramError
from core.language import parse
from core.language.export import export
from core.types import HeadId, ModelInfo, Sentence, Split
from core.ui import frame, state
from core.ui.attention_view import draw_attention, largest_weights

_ICONS = {"accept": "✓ accepted", "reject": "✕ rejected", "flag": "⚑ flagged", "skip": "↷ skipped"}


@st.cache_data(show_spinner=False, max_entries=64)
def standalone(source: str) -> str:
    """The program as a file that runs anywhere; the reason as a comment where it cannot be one."""
    try:
        return export(parse(source))
    except ProgramError as error:
        return "\n".join(f"# {problem}" for problem in error.problems)


def choose_head(model: ModelInfo, place: st.delta_generator.DeltaGenerator) -> HeadId:
    layer, head = place.columns(2)
    return HeadId(
        layer.selectbox("Layer", range(model.layers), key="layer", bind="query-params"),
        head.selectbox("Head", range(model.heads), key="head", bind="query-params"),
    )


def choose_program(scores: pd.DataFrame, place: st.delta_generator.DeltaGenerator) -> pd.Series:
    """The row of `scores` to show: the best unless another is asked for."""
    labels = {str(row.program_id): f"{row.summary} · IoU {row.test:.2f}" for row in scores.itertuples()}
    program = place.selectbox(
        "Program", list(labels), format_func=lambda name: labels[name], key="program", bind="query-params"
    )
    return scores[scores.program_id == program].iloc[0]


def choose_sentence(
    sentences: list[Sentence], ious: dict[str, float], place: st.delta_generator.DeltaGenerator
) -> str:
    """A sentence, those the program fits worst first."""
    ordered = sorted((s for s in sentences if s.id in ious), key=lambda sentence: ious[sentence.id])
    labels = {s.id: f"{ious[s.id]:.2f} · {s.genre} · {' '.join(s.text.split())[:70]}" for s in ordered}
    return place.selectbox(
        f"Sentence · worst first, {len(ordered)}",
        list(labels),
        format_func=lambda name: labels[name],
        key="sentence",
        bind="query-params",
    )


def draw_figures(scores: pd.DataFrame, row: pd.Series) -> None:
    baseline = scores[scores.origin == "baseline"].test.max()
    columns = st.columns(6)
    columns[0].metric("IoU, test", f"{row.test:.3f}", help=f"95 % interval {row.low:.3f} to {row.high:.3f}")
    columns[1].metric("Validation", f"{row.validation:.3f}")
    columns[2].metric("Train", f"{row.train:.3f}")
    columns[3].metric("Lift", f"{row.test - baseline:+.3f}", help="IoU beyond the best baseline, on test")
    distance = "–" if pd.isna(row.js_distance) else f"{row.js_distance:.3f}"
    columns[4].metric("JS distance", distance)
    columns[5].metric("Failures", int(row.failures))


def draw_programs(scores: pd.DataFrame, model: ModelInfo, head: HeadId) -> None:
    verdicts = {
        verdict.program: _ICONS[verdict.action]
        for verdict in state.owner().workspace.verdicts.standing(model.id)
        if verdict.head == head
    }
    best_baseline = scores[scores.origin == "baseline"].test.max()
    table = scores.assign(
        verdict=[verdicts.get(name, "") for name in scores.program_id], lift=scores.test - best_baseline
    )
    st.dataframe(
        table[["summary", "test", "lift", "verdict", "category", "origin"]],
        hide_index=True,
        height=320,
        column_config={
            "summary": st.column_config.TextColumn("program", width="medium"),
            "test": st.column_config.ProgressColumn("IoU, test", min_value=0, max_value=1, format="%.2f"),
            "lift": st.column_config.NumberColumn(format="%+.2f"),
        },
    )


frame.through_app()
model = frame.model_or_stop("Heads")
title = st.container()
first, second, third = st.columns([1.2, 2.6, 2.6])
head = choose_head(model, first)
scores = state.owner().workspace.library.head_scores(model.id, head)
if scores.empty:
    title.title(f"Heads · {head}")
    st.info(
        f"{head} has no program yet; its layer is still being worked on.", icon=":material/hourglass_top:"
    )
    st.stop()
row = choose_program(scores, second)
sentences = state.of_splits(model, list(Split))
held_out = [sentence for sentence in sentences if sentence.split == Split.TEST] or sentences
ious = state.ious_by_sentence(model, head, row.source, tuple(sentence.id for sentence in held_out))
sentence = choose_sentence(held_out, ious, third)
title.title(str(head))
st.markdown(frame.as_text(row.summary))
draw_figures(scores, row)

compared = state.compare(model, head, row.source, sentence)
if compared.failure is not None:
    st.warning(f"The program fails on this sentence: {compared.failure.detail}", icon=":material/warning:")
draw_attention(compared, f"{head}", model.is_causal, key="attention")
left, right = st.columns([1, 1])
with left:
    marks = f"{row.category}{' · lookahead' if row.lookahead else ''} · {row.origin}"
    st.markdown(f"**Program** · {marks}")
    st.code(row.source, language="python", wrap_lines=True)
    st.download_button(
        "Standalone Python file",
        standalone(row.source),
        file_name=f"{head}.py",
        icon=":material/download:",
        on_click="ignore",
        help="The program with a small runtime that needs only the standard library and a list of tokens",
    )
with right:
    st.markdown("**Programs scored on this head**")
    draw_programs(scores, model, head)
    with st.expander("Largest weights as a table"):
        st.dataframe(largest_weights(compared), hide_index=True)

"""Hybrid: replace heads by their programs and read what it costs."""

import pandas as pd
import streamlit as st

from core.curate import choose_for_hybrid, heads_in_share
from core.errors import HeadscriptError
from core.store.hybrids import spec_to_json
from core.types import HeadId, ModelInfo, Split
from core.ui import charts, frame, jobs, state

_ACCEPTED, _BEST = "Accepted programs", "Best programs, reviewed or not"


def candidates(model: ModelInfo, which: str) -> tuple[dict[HeadId, str], dict[HeadId, float]]:
    """Heads that may be replaced with their sources, and their IoU on validation."""
    workspace = state.owner().workspace
    best = workspace.library.best(model.id, Split.VALIDATION)
    fits = {found.score.head: found.score.iou for found in best}
    if which == _ACCEPTED:
        return workspace.verdicts.accepted(model.id), fits
    return {found.score.head: found.program.source for found in best}, fits


def draw_builder(model: ModelInfo) -> None:
    accepted = state.owner().workspace.verdicts.accepted(model.id)
    with st.container(border=True):
        left, middle, right = st.columns([1.5, 2, 1], vertical_alignment="bottom")
        which = left.radio(
            "Replace heads by",
            [_ACCEPTED, _BEST],
            captions=[f"{len(accepted)} heads", "all heads"],
            key="which",
        )
        sources, fits = candidates(model, which)
        if not sources:
            middle.info("No program is accepted yet.", icon=":material/info:")
            middle.page_link("pages/review.py", label="Review programs", icon=":material/rule:")
            return
        total = model.layers * model.heads
        count = len(sources)
        if which == _BEST:
            share = middle.slider(
                "Share of all heads, best fit on validation first", 5, 100, 25, 5, format="%d%%"
            )
            count = heads_in_share(share / 100, total)
        else:
            middle.markdown(
                f"All **{count}** accepted programs replace their heads: {count / total:.0%} of {total}."
            )
        if right.button("Measure", type="primary", icon=":material/speed:", key="measure"):
            start(model, sources, fits, count, which)
        st.caption(
            "Perplexity and KL on the test passages, hybrid and unmodified model on the same tokens. "
            "Programs that look ahead read the whole passage."
        )


def start(
    model: ModelInfo, sources: dict[HeadId, str], fits: dict[HeadId, float], count: int, which: str
) -> None:
    owner = state.owner()
    try:
        spec = choose_for_hybrid(model.id, sources, fits, count)
        passages = owner.workspace.library.sentences(model.id, Split.TEST)
        title = f"{count} heads, {which.split(',')[0].lower()}"
        owner.runner.start_hybrid(model, spec_to_json(spec), title, passages, str(Split.TEST))
    except HeadscriptError as error:
        st.error(str(error))
    else:
        st.rerun()


def draw_results(hybrids: pd.DataFrame) -> None:
    latest = hybrids.iloc[0]
    figures = [
        ("Heads replaced", f"{int(latest.heads)}", f"{latest.share:.1%} of all"),
        ("Perplexity increase", f"{latest.increase:+.1%}", f"[{latest.low:+.1%}, {latest.high:+.1%}]"),
        ("Hybrid perplexity", f"{latest.ppl:.2f}", f"unmodified {latest.base_ppl:.2f}"),
        ("KL per token", f"{latest.kl:.3f}", "nats, original ‖ hybrid"),
        ("Tokens", f"{int(latest.tokens):,}", f"{int(latest.passages)} passages"),
    ]
    for column, (label, value, note) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(label, value, note, delta_color="off", delta_arrow="off")
    if latest.kept:
        st.warning(
            f"In {int(latest.kept)} (head, passage) pairs the program failed; "
            "there the head kept its own attention."
        )
    left, right = st.columns([1.2, 1])
    left.altair_chart(charts.increase_chart(hybrids), width="stretch")
    left.caption(
        "Bars: 95 % bootstrap interval over passages. Orange ticks: published increases at 25 % of heads "
        "(GPT-2, TinyLlama, Llama-3.2-3B; arXiv 2606.19317)."
    )
    right.dataframe(
        hybrids[["title", "share", "increase", "kl", "ppl", "passages_from"]],
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(format="percent"),
            "increase": st.column_config.NumberColumn(format="percent"),
            "kl": st.column_config.NumberColumn(format="%.3f"),
            "ppl": st.column_config.NumberColumn("perplexity", format="%.2f"),
            "passages_from": "passages",
        },
    )


frame.through_app()
model = frame.model_or_stop("Hybrid")
st.title(f"Hybrid · {model.title}")
if not model.is_causal:
    st.info("Perplexity needs a causal model; this one is an encoder.", icon=":material/info:")
    st.stop()
draw_builder(model)
jobs.draw_last_failure("hybrid")
hybrids = state.owner().workspace.hybrids.frame(model.id)
job = state.running_job()
if job is not None and job.kind == "hybrid":
    st.info("Measuring; the result appears here when it is done.", icon=":material/hourglass_top:")
elif hybrids.empty:
    st.info(
        "No hybrid has been measured yet. Choose programs above and press Measure.", icon=":material/info:"
    )
else:
    draw_results(hybrids)

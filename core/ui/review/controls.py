"""Above the card: which queue, in which order, what is left out, and decisions on many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.review import (
    DECISIONS,
    REASONS,
    Agreement,
    Desk,
    Filter,
    Opinions,
    Pile,
    QueueOrder,
    agreements,
)
from core.sharing.figures.of_reviewers import agreement_figures, kappa_in_words, two_by_two
from core.types import Action, Card, HeadId, Verdict
from core.ui.parts.figure import draw_figure_button
from core.ui.parts.frame import as_text


def draw_controls(desk: Desk, queue: Sequence[Card]) -> None:
    """One line of controls; what they choose is kept with the reviewer."""
    view = desk.view
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        chosen_pile = st.selectbox(
            "Queue", list(Pile), index=list(Pile).index(view.pile), key=f"pile-{desk.key}", width=165,
            label_visibility="collapsed",
        )  # fmt: skip
        chosen_order = st.selectbox(
            "Order", list(QueueOrder), index=list(QueueOrder).index(view.order), key=f"order-{desk.key}",
            width=215, label_visibility="collapsed",
        )  # fmt: skip
        with st.popover(_filter_label(view.kept), icon=":material/filter_list:"):
            kept = _draw_filter(desk)
        with st.popover("All filtered", icon=":material/done_all:"):
            _draw_bulk(desk, len(queue))
        if st.button("Agreement", key="agreement", icon=":material/group:"):
            draw_agreement(desk)
        is_blind = st.toggle("Blind", view.is_blind, key=f"blind-{desk.key}", help=_BLIND)
    wanted = replace(
        view, pile=chosen_pile or view.pile, order=chosen_order or view.order, kept=kept, is_blind=is_blind
    )
    if wanted != view:
        moved = (wanted.pile, wanted.order, wanted.kept) != (view.pile, view.order, view.kept)
        desk.change(replace(wanted, card=None) if moved else wanted)
        st.rerun()


_BLIND = "Hide every number on the card until you have decided"


def _filter_label(kept: Filter) -> str:
    active = sum(
        [bool(kept.categories), bool(kept.origins), kept.layers is not None, kept.least_iou > 0,
         kept.without_lookahead, bool(kept.heads)]
    )  # fmt: skip
    return f"Filter · {active}" if active else "Filter"


def _draw_filter(desk: Desk) -> Filter:
    kept, best = desk.view.kept, desk.shelf.best
    categories = sorted({card.category for card in best} | kept.categories)
    origins = sorted({card.origin for card in best} | kept.origins)
    name = desk.key
    last = desk.model.layers - 1
    chosen = st.multiselect(
        "Category", categories, sorted(kept.categories), key=f"categories-{name}", placeholder="all"
    )
    made_by = st.multiselect(
        "Origin", origins, sorted(kept.origins), key=f"origins-{name}", placeholder="all"
    )
    names = [str(head) for head in desk.model.head_ids()]
    heads = st.multiselect(
        "Heads", names, sorted(map(str, kept.heads), key=names.index), key=f"heads-{name}", placeholder="all"
    )
    layers = (0, last)
    if last > 0:
        layers = st.slider("Layers", 0, last, kept.layers or (0, last), key=f"layers-{name}")
    least = st.slider("Least IoU on validation", 0.0, 1.0, kept.least_iou, 0.05, key=f"least-{name}")
    strict = st.checkbox("Without lookahead", kept.without_lookahead, key=f"lookahead-{name}")
    return Filter(
        frozenset(chosen), frozenset(made_by), None if layers == (0, last) else layers, least, strict,
        frozenset(map(HeadId.parse, heads)),
    )  # fmt: skip


def _draw_bulk(desk: Desk, count: int) -> None:
    if count == 0:
        st.caption("The queue is empty.")
        return
    st.markdown(f"Decide on **all {count}** cards of this queue at once. One undo takes all of them back.")
    if doubtful := desk.doubtful():
        st.warning(
            f"Audits call {doubtful} of them no explanation; accepting all accepts these, too.",
            icon=":material/fact_check:",
        )
    reason = st.selectbox("Reason, for rejecting", ["", *REASONS], key="bulk-reason")
    # Asked anew after every decision.
    asked = f"bulk-sure-{count}-{desk.records.verdicts.revision()}"
    confirmed = st.checkbox(f"Yes, all {count}", key=asked)
    with st.container(horizontal=True):
        accept = st.button(f"✓ Accept {count}", key="bulk-accept", disabled=not confirmed)
        reject = st.button(f"✕ Reject {count}", key="bulk-reject", disabled=not confirmed)
    if accept or reject:
        action = Action.ACCEPT if accept else Action.REJECT
        desk.decide_all(action, reason if reject else "")
        st.rerun()


@st.dialog("Agreement between reviewers", width="large")
def draw_agreement(desk: Desk) -> None:
    """Cohen's kappa of every two reviewers, and where they differ."""
    found = agreements(desk.opinions)
    if not found:
        st.info(
            "No program has been decided by two reviewers yet. Choose the queue “second opinion” to judge "
            "what others decided.",
            icon=":material/group:",
        )
    for one in found:
        st.markdown(f"**{as_text(one.first)}** and **{as_text(one.second)}**: {kappa_in_words(one)}")
        st.caption(f"{one.same} of {one.both} programs decided alike")
        st.dataframe(two_by_two(one), width="content")
        _draw_disagreements(desk, one)
    if found:
        figures = agreement_figures(desk.model, found)
        draw_figure_button(figures, f"agreement-{desk.model.title}", "agreement-figure")
        st.download_button(
            "Decisions side by side (CSV)",
            lambda: decisions_csv(desk.opinions),
            file_name=f"decisions-{desk.model.title}.csv",
            icon=":material/download:",
            on_click="ignore",
        )


def decisions_csv(opinions: Opinions) -> str:
    """A row a program of a head that anybody decided, a column a reviewer: accept, reject or nothing."""
    rows = [
        {"head": str(head), "program": program}
        | {name: str(word.action) for name, word in words.items() if word.action in DECISIONS}
        for (head, program), words in sorted(opinions.of.items())
    ]
    decided = [row for row in rows if len(row) > 2]
    return str(pd.DataFrame(decided).to_csv(index=False))


def _draw_disagreements(desk: Desk, one: Agreement) -> None:
    for a, b in one.disagreements:
        label = f"{a.head}: {_word(a)} · {_word(b)}"
        if st.button(label, key=f"differ-{a.event}-{b.event}", icon=":material/open_in_new:"):
            desk.go_to((a.head, a.program))
            st.rerun()


def _word(verdict: Verdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return as_text(f"{verdict.reviewer} {verdict.action}s{reason}")

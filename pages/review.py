"""Review: one head's program at a time, one key a decision."""

import streamlit as st

from core.curate import decisions, review_queue
from core.types import Action, BestProgram, HeadId, ModelInfo, Sentence, Split
from core.ui import frame, state
from core.ui.attention_view import Thumbnail, draw_thumbnails

_WORDS = {
    Action.ACCEPT: "✓ accepted",
    Action.REJECT: "✕ rejected",
    Action.SKIP: "↷ skipped",
    Action.FLAG: "⚑ flagged",
}
_REASONS = ("", "trivial", "wrong on this head", "overfitted", "unreadable", "false docstring")
_FITS = 0.6  # validation IoU from which a program is said to fit another head


def decide(model: ModelInfo, card: BestProgram, action: Action) -> None:
    """Record the decision on the card that was on screen, once."""
    reason = st.session_state.get("reason", "") if action == Action.REJECT else ""
    state.owner().workspace.verdicts.record(
        model.id, card.score.head, card.program.id, action, state.reviewer(), reason
    )
    st.session_state["reason"] = ""  # it was this card's


def undo(model: ModelInfo) -> None:
    taken_back = state.owner().workspace.verdicts.undo(model.id, state.reviewer())
    if taken_back is not None:
        st.session_state["card"] = (taken_back.head, taken_back.program)


def current_card(queue: list[BestProgram]) -> BestProgram:
    """The card that undo brought back, or the first of the queue."""
    wanted = st.session_state.pop("card", None)
    return next((c for c in queue if (c.score.head, c.program.id) == wanted), queue[0])


def draw_verdict_row(model: ModelInfo, card: BestProgram) -> None:
    def button(label: str, shortcut: str, action: Action, kind: str = "secondary") -> None:
        st.button(
            label,
            key=f"do-{action}",
            shortcut=shortcut,
            type=kind,
            on_click=decide,
            args=(model, card, action),
        )

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        button("✓ Accept", "A", Action.ACCEPT, "primary")
        button("✕ Reject", "X", Action.REJECT)
        st.selectbox("Reason for rejecting", _REASONS, key="reason", width=160, label_visibility="collapsed",
                     format_func=lambda reason: reason or "reason …")  # fmt: skip
        button("↷ Skip", "Space", Action.SKIP)
        button("⚑ Flag", "F", Action.FLAG)
        st.button("⌫ Undo", key="do-undo", shortcut="Backspace", on_click=undo, args=(model,))
    draw_recent(model)


def draw_recent(model: ModelInfo) -> None:
    recent = state.owner().workspace.verdicts.recent(model.id, 4, state.reviewer())
    words = [f"{v.head} {_WORDS[v.action]}" + f" “{v.reason}”" * bool(v.reason) for v in recent]
    st.caption(f"last: {' · '.join(words)}" if words else "No decision yet; every one can be undone.")


def draw_figures(model: ModelInfo, card: BestProgram) -> None:
    score = card.score
    rows = state.owner().workspace.library.head_scores(model.id, score.head)
    row = rows[rows.program_id == card.program.id].iloc[0]
    columns = st.columns([1.35, 1, 0.85, 1.15], gap="small")
    spread = f"[{score.low:.2f}, {score.high:.2f}]"
    columns[0].metric("IoU, test", f"{score.iou:.2f}", spread, delta_color="off", delta_arrow="off")
    columns[1].metric("Validation", f"{row.validation:.2f}")
    columns[2].metric("Train", f"{row.train:.2f}")
    columns[3].metric("Lift", f"{card.lift:+.2f}", help="IoU beyond the head's best baseline, on test")
    marks = [row.category, *(["lookahead"] if row.lookahead else []), row.origin]
    st.markdown(f"**{frame.as_text(row.summary)}**  \n{' · '.join(marks)}")


def draw_evidence(model: ModelInfo, card: BestProgram) -> None:
    """Worst sentences, the typical one, and the other heads the program fits."""
    sentences = {s.id: s for s in state.of_splits(model, [Split.VALIDATION])}
    head, source = card.score.head, card.program.source
    ious = state.ious_by_sentence(model, head, source, tuple(sentences))
    ordered = sorted(ious, key=lambda name: ious[name])
    middle = ordered[len(ordered) // 2 : len(ordered) // 2 + 1]
    picks = [("worst", name) for name in ordered[:3]] + [("typical", name) for name in middle]
    thumbnails = [thumbnail(model, head, source, word, sentences[name], ious[name]) for word, name in picks]
    st.caption("validation sentences · head left, program right · 0 to 1 in cividis")
    draw_thumbnails(thumbnails, model.is_causal, key="evidence")
    fits = state.owner().workspace.library.heads_fitted(model.id, card.program.id, _FITS)
    others = [f"{other} {iou:.2f}" for other, iou in fits if other != head]
    shown = f"fits {len(others)} other heads: {' · '.join(others[:8])}{' …' * (len(others) > 8)}"
    st.caption(shown if others else f"fits no other head with an IoU of {_FITS} or more")


def thumbnail(
    model: ModelInfo, head: HeadId, source: str, word: str, sentence: Sentence, iou: float
) -> Thumbnail:
    compared = state.compare(model, head, source, sentence.id)
    return Thumbnail(f"{word} {iou:.2f} · {sentence.genre}", sentence.text, compared)


frame.through_app()
model = frame.model_or_stop("Review")
best = state.owner().workspace.library.best(model.id, Split.TEST)
verdicts = state.owner().workspace.verdicts.standing(model.id)
queue = review_queue(best, verdicts)
decided = len(decisions(verdicts))
if not queue:
    st.title("Review · everything is decided")
    st.success(f"All {len(best)} heads have a verdict.", icon=":material/done_all:")
    st.page_link(
        "pages/hybrid.py", label="Build a hybrid from the accepted programs", icon=":material/call_merge:"
    )
    st.button("⌫ Undo the last decision", on_click=undo, args=(model,))
    st.stop()
card = current_card(queue)
st.title(f"Review · {card.score.head}")
st.progress(decided / len(best), text=f"{decided} of {len(best)} decided · highest lift first")
draw_verdict_row(model, card)
left, right = st.columns([1, 1.15], gap="medium")
with left:
    draw_figures(model, card)
    st.code(card.program.source, language="python", wrap_lines=True)
    place = {"layer": str(card.score.head.layer), "head": str(card.score.head.head)}
    st.page_link(
        "pages/heads.py", label="Open in Heads", icon=":material/center_focus_strong:", query_params=place
    )
with right:
    draw_evidence(model, card)

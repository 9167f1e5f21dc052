"""What an audit found, drawn the same wherever it is shown: verdict, figures, table, shaded text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.audit import AUDITS, AuditVerdict, Finding, Shaded
from core.audit.words import in_words, shaded_html
from core.sharing.figures.audits import finding_figures
from core.store.findings import StoredFinding
from core.ui.parts import frame
from core.ui.parts.figure import draw_figure_button

__all__ = ["VERDICT_WORDS", "draw_finding", "draw_findings", "in_words", "shaded_html"]

VERDICT_WORDS: dict[AuditVerdict, str] = {
    "passes": ":material/check_circle: passes",
    "fails": ":material/cancel: fails",
    "cannot tell": ":material/help: cannot tell",
}
_SHOWN_TEXTS = 8
_ACROSS = 3  # figures
_STATES = ("before", "change", "after")
_SHADES = {
    "before": "Orange: weight before the edit.",
    "change": "Orange: more, purple: less.",
    "after": "Orange: weight after the edit.",
}


def draw_findings(findings: Sequence[StoredFinding], hint: str, subject: str) -> None:
    """Each finding of a subject behind a line with its verdict; the hint where there is none."""
    if not findings:
        st.caption(hint)
    for stored in findings:
        audit = AUDITS.get(stored.audit)  # none: its package is gone
        title = frame.as_text(audit.title if audit else stored.audit)
        with st.expander(f"**{title}** · {VERDICT_WORDS[stored.finding.verdict]}"):
            if audit:
                st.caption(frame.as_text(" ".join(filter(None, [audit.question, audit.about]))))
            draw_finding(stored.finding, f"{stored.audit}-{stored.subject}")
            if audit and audit.sources:
                st.caption("After " + frame.as_text("; ".join(audit.sources)))
    draw_finding_figures(subject, {stored.audit: stored.finding for stored in findings})


def draw_finding_figures(subject: str, findings: Mapping[str, Finding]) -> None:
    """The tables of all findings as figures, where there is one."""
    figures = finding_figures(subject, findings)
    if figures:
        draw_figure_button(figures, f"audits-{subject}", f"audits-figure-{subject}")


def draw_finding(finding: Finding, key: str) -> None:
    """Everything that an audit found of one program or hybrid; `key` names what is drawn on the page."""
    given = f" Given {finding.given}, which it looks at." if finding.given else ""
    st.markdown(f"**{VERDICT_WORDS[finding.verdict]}** {frame.as_text(finding.note + given)}")
    for start in range(0, len(finding.figures), _ACROSS):
        some = finding.figures[start : start + _ACROSS]
        for column, figure in zip(st.columns(_ACROSS), some, strict=False):
            value, interval = in_words(figure)
            column.metric(frame.as_text(figure.name), value, interval, delta_color="off", delta_arrow="off")
    if finding.rows:
        st.dataframe(pd.DataFrame(finding.rows, columns=list(finding.columns)), hide_index=True)
    if finding.shaded:
        _draw_texts(finding.shaded[:_SHOWN_TEXTS], key)


def _draw_texts(texts: Sequence[Shaded], key: str) -> None:
    """Shaded texts; where they are changes, a slider from before to after."""
    state = "change"
    if any(text.before for text in texts):
        state = st.select_slider("The edit", _STATES, "change", key=f"edit-{key}", width=320)
    st.caption(f"{_SHADES[state]} Hover for the number.")
    for text in texts:
        st.html(shaded_html(text.states.get(state, text)))

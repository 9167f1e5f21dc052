"""What an audit found, drawn the same wherever it is shown: verdict, figures, table, shaded text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.audit import AUDITS, AuditVerdict, Finding
from core.audit.words import in_words, shaded_html
from core.store.findings import StoredFinding
from core.ui.parts import frame

__all__ = ["VERDICT_WORDS", "draw_finding", "draw_findings", "in_words", "shaded_html"]

VERDICT_WORDS: dict[AuditVerdict, str] = {
    "passes": ":material/check_circle: passes",
    "fails": ":material/cancel: fails",
    "cannot tell": ":material/help: cannot tell",
}
_SHOWN_TEXTS = 8
_ACROSS = 3  # figures


def draw_findings(findings: Sequence[StoredFinding], hint: str) -> None:
    """Each finding behind a line with its verdict; the hint where there is none."""
    if not findings:
        st.caption(hint)
    for stored in findings:
        audit = AUDITS.get(stored.audit)  # none: its package is gone
        title = frame.as_text(audit.title if audit else stored.audit)
        with st.expander(f"**{title}** · {VERDICT_WORDS[stored.finding.verdict]}"):
            if audit:
                st.caption(frame.as_text(" ".join(filter(None, [audit.question, audit.about]))))
            draw_finding(stored.finding)
            if audit and audit.sources:
                st.caption("After " + frame.as_text("; ".join(audit.sources)))


def draw_finding(finding: Finding) -> None:
    """Everything that an audit found of one program or hybrid."""
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
        st.caption("Orange: more, purple: less. Hover for the number.")
    for text in finding.shaded[:_SHOWN_TEXTS]:
        st.html(shaded_html(text))

"""What an audit found, drawn the same wherever it is shown: verdict, figures, table, shaded text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from core.audit import AUDITS, AuditVerdict, Figure, Finding, Shaded, Unit
from core.display import PUOR
from core.store.findings import StoredFinding
from core.types import Estimate
from core.ui.parts import frame

VERDICT_WORDS: dict[AuditVerdict, str] = {
    "passes": ":material/check_circle: passes",
    "fails": ":material/cancel: fails",
    "cannot tell": ":material/help: cannot tell",
}
_FORMATS: dict[Unit, str] = {"": "{:.3f}", "share": "{:.1%}", "change": "{:+.1%}", "nats": "{:.3f} nats"}
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
                st.caption(frame.as_text(audit.question))
            draw_finding(stored.finding)


def draw_finding(finding: Finding) -> None:
    """Everything that an audit found of one program or hybrid."""
    st.markdown(f"**{VERDICT_WORDS[finding.verdict]}** {frame.as_text(finding.note)}")
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


def in_words(figure: Figure) -> tuple[str, str | None]:
    """A figure, and its interval where it is known: `12.0%` and `[10.0%, 14.0%]`."""
    spelled = _FORMATS[figure.unit].format
    estimate: Estimate = figure.estimate
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return spelled(estimate.value), None
    return spelled(estimate.value), f"[{spelled(estimate.low)}, {spelled(estimate.high)}]"


def shaded_html(text: Shaded) -> str:
    """A text as spans, every character of it escaped; the largest number has the strongest colour."""
    largest = max((abs(value) for value in text.values), default=0.0)
    spans = [_span(token, value, largest) for token, value in zip(text.tokens, text.values, strict=True)]
    title = f"<small>{escape(text.title)}</small><br>" if text.title else ""
    return f'<p style="line-height:1.9;white-space:pre-wrap">{title}{"".join(spans)}</p>'


def _span(token: str, value: float, largest: float) -> str:
    steps = round(4 * abs(value) / largest) if largest and math.isfinite(value) else 0
    style = ""
    if steps:
        background = PUOR[5 + steps] if value > 0 else PUOR[5 - steps]
        ink = "#ffffff" if steps == 4 else "#1a1a1a"
        style = f' style="background:{background};color:{ink};border-radius:3px"'
    return f'<span title="{value:+.3g}"{style}>{escape(token)}</span>'

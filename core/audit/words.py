"""A finding in words and as HTML: spelled the same on pages and on paper."""

from __future__ import annotations

import math
from html import escape

from core.audit.contract import Figure, Shaded, Unit
from core.display import diverging
from core.types import Estimate

_FORMATS: dict[Unit, str] = {"": "{:.3f}", "share": "{:.1%}", "change": "{:+.1%}", "nats": "{:.3f} nats"}

WRITES_TOGETHER = (
    "This architecture does something between attention and output projection, "
    "so what one head writes cannot be told apart."
)


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
        background, ink = diverging(steps if value > 0 else -steps)
        style = f' style="background:{background};color:{ink};border-radius:3px"'
    return f'<span title="{value:+.3g}"{style}>{escape(token)}</span>'

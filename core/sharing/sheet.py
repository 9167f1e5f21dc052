"""One head's audits as an HTML page to print: the program, its rung, every figure with how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from core.audit import AUDITS, Finding, Standing
from core.audit.words import in_words, shaded_html
from core.types import HeadId, ModelInfo

_STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #1b2130; background: #fff; max-width: 900px;
  margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { margin: 1.4rem 0 .2rem; font-size: 1.05rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { text-align: left; padding: .12rem .9rem .12rem 0; border-bottom: 1px solid #d9dee8;
  font-weight: normal; }
pre { background: #f3f5f9; padding: .7rem .9rem; white-space: pre-wrap; }
section { break-inside: avoid; } .small { color: #4a5162; font-size: .88rem; margin: .2rem 0; }
"""


def sheet(
    model: ModelInfo,
    head: HeadId,
    source: str,
    findings: Mapping[str, Finding],
    standing: Standing | None,
    made_at: str,
) -> str:
    """The page, whole in itself; findings by the audit's name."""
    title = f"{head} of {model.title}"
    rung = "Not on the ladder: its first audits were not all run."
    if standing is not None:
        rung = f"<b>{escape(standing.rung)}</b> · {escape(standing.why)}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><p>{rung}</p>"
        f"<pre><code>{escape(source)}</code></pre>"
        + "".join(finding_html(name, finding) for name, finding in findings.items())
        + f'<p class="small">Made by Headscript, {escape(made_at)}. Figures are of test passages, which '
        "chose nothing, with 95 % intervals over passages.</p></body></html>\n"
    )


def finding_html(name: str, finding: Finding) -> str:
    """What an audit of this name found, as a section; all of its text is escaped."""
    audit = AUDITS.get(name)
    title, question = (audit.title, audit.question) if audit else (name, "")
    given = f" Given {finding.given}, which it looks at." if finding.given else ""
    about = _small(audit.about) if audit and audit.about else ""
    sources = _small(f"After {'; '.join(audit.sources)}.") if audit and audit.sources else ""
    figures = "".join(
        f"<tr><th>{escape(figure.name)}</th><td>{value}</td><td>{interval or ''}</td></tr>"
        for figure in finding.figures
        for value, interval in (in_words(figure),)
    )
    return (
        f"<section><h2>{escape(title)}: {escape(finding.verdict)}</h2><p>{escape(question)} "
        f"{escape(finding.note)}{escape(given)}</p><table>{figures}</table>{_rows(finding)}"
        f"{''.join(map(shaded_html, finding.shaded))}{about}{sources}</section>"
    )


def _small(text: str) -> str:
    return f'<p class="small">{escape(text)}</p>'


def _rows(finding: Finding) -> str:
    if not finding.rows:
        return ""
    head = "".join(f"<th><b>{escape(name)}</b></th>" for name in finding.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(cell))}</td>' for cell in row)}</tr>" for row in finding.rows
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cell(cell: str | int | float | None) -> str:
    return "" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell)

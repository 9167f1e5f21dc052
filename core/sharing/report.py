"""The curated library as one HTML page that needs nothing else: code, figures, and maps as images in it."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.audit import Standing
from core.display import CIVIDIS, between, counted, token_name
from core.maps import pack, unpack
from core.scoring import Evidence, Example
from core.sharing.png import indexed_png
from core.types import Card, ModelInfo, Split, Verdict

_STYLE = """
:root { color-scheme: light dark; --text: #1b2130; --page: #ffffff; --panel: #f3f5f9; --line: #d9dee8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6eaf2; --page: #11151d; --panel: #1a202b; --line: #2d3646; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .3rem; font-size: 1.15rem; } a { color: inherit; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .9rem .15rem 0; border-bottom: 1px solid var(--line); }
pre { background: var(--panel); padding: .8rem 1rem; border-radius: .4rem; white-space: pre-wrap; }
figure { display: inline-block; margin: 0 1.2rem .8rem 0; vertical-align: top; max-width: 320px; }
figcaption { font-size: .82rem; overflow-wrap: anywhere; }
.map { display: inline-block; position: relative; width: 150px; height: 150px; margin-right: 4px;
  border: 1px solid var(--line); overflow: hidden;
  background: repeating-linear-gradient(135deg, transparent 0 5px, var(--line) 5px 6px); }
.map > * { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
text { font-family: monospace; font-size: .9px; fill: var(--text); dominant-baseline: middle; }
.small { opacity: .8; font-size: .88rem; }
"""

_MOST_NAMED = 18  # tokens of a map whose cells are then 8 CSS pixels wide


@dataclass(frozen=True)
class Entry:
    """An accepted program with what speaks for it."""

    card: Card
    verdict: Verdict
    evidence: Evidence
    standing: Standing | None = None  # what audits say of it
    disputed: str = ""  # what each reviewer decided, where they differ


def report(
    model: ModelInfo,
    entries: Iterable[Entry],
    figures: Mapping[str, str],
    made_at: str,
) -> str:
    """The page; `figures` are shown at its top as they are."""
    table = _palette(CIVIDIS)
    found = list(entries)
    rows = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in figures.items()
    )
    contents = "".join(
        f'<tr><td><a href="#{_anchor(entry.card)}">{entry.card.head}</a></td>'
        f"<td>{entry.card.iou(Split.TEST):.3f}</td><td>{entry.card.lift(Split.TEST):+.3f}</td>"
        f"<td>{'' if entry.standing is None else _text(entry.standing.rung)}</td>"
        f"<td>{_text(entry.card.category)}</td><td>{_text(entry.card.summary)}</td></tr>"
        for entry in found
    )
    title = f"Accepted programs of {model.title}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{_text(title)}</h1>"
        f'<p class="small">Made by Headscript, {_text(made_at)}. IoU and lift are of the test split, '
        "which chose nothing; maps are of validation sentences: head left, program right, "
        "0 to 1 in cividis, on a square-root scale.</p>"
        f"<table>{rows}</table><h2>Contents</h2><table><tr><th>head</th><th>IoU</th><th>lift</th>"
        f"<th>audited</th><th>category</th><th>program</th></tr>{contents}</table>"
        + "".join(_entry(entry, model.is_causal, table) for entry in found)
        + "</body></html>\n"
    )


def _entry(entry: Entry, is_causal: bool, palette: bytes) -> str:
    card, verdict = entry.card, entry.verdict
    marks = [card.category, *(["lookahead"] if card.lookahead else []), f"{card.origin}, {card.nodes} nodes"]
    fits = " · ".join(
        f"{split} {fit.value:.3f} [{fit.low:.3f}, {fit.high:.3f}]" for split, fit in card.fits.items()
    )
    audited = "not audited"
    if entry.standing is not None:
        audited = f"audited: {entry.standing.rung} ({entry.standing.why})"
    who = f"accepted by {verdict.reviewer}, {verdict.at[:10]}"
    if entry.disputed:
        who += f" · disputed: {entry.disputed}"
    maps = "".join(_example(example, is_causal, palette) for example in entry.evidence.examples)
    return (
        f'<h2 id="{_anchor(card)}">{card.head} · {_text(card.summary)}</h2>'
        f'<p class="small">IoU {fits}{_resolved(card)} · lift {card.lift(Split.TEST):+.3f}<br>'
        f"{_text(' · '.join([*marks, who]))}<br>{_text(audited)}</p>"
        f"<pre><code>{_text(card.program.source)}</code></pre>{maps}"
    )


def _resolved(card: Card) -> str:
    """The figure without the heads it looks at, which the others are given."""
    if not card.looks:
        return ""
    reached = card.resolved_iou(Split.TEST)
    looks = f"given {counted(card.looks, 'head')} it looks at"
    return f" {looks}, resolved {'–' if math.isnan(reached) else f'{reached:.3f}'} on test"


def _anchor(card: Card) -> str:
    """What a link to an entry names; a head may have several."""
    return f"{card.head}-{card.program.id}"


def _example(example: Example, is_causal: bool, palette: bytes) -> str:
    names = _names(example.tokens) if is_causal else ""
    images = "".join(
        f'<span class="map"><img alt="{what} on this sentence" src="data:image/png;base64,'
        f'{base64.b64encode(png(weights, is_causal, palette)).decode()}">{names}</span>'
        for what, weights in (("head", example.head), ("program", example.program))
    )
    return (
        f"<figure>{images}<figcaption>{example.word} {example.iou:.2f}: {_text(example.sentence.text)}"
        "</figcaption></figure>"
    )


def _names(tokens: Sequence[str]) -> str:
    """Each token beside its cell on the diagonal, slanted into the empty future, where cells are large."""
    n = len(tokens)
    if n > _MOST_NAMED:
        return ""
    words = "".join(
        f"<text {_place(i, n, name)}>{_text(name)}</text>" for i, name in enumerate(map(token_name, tokens))
    )
    return f'<svg viewBox="0 0 {n} {n}" aria-hidden="true">{words}</svg>'


def _place(row: int, n: int, name: str) -> str:
    """Where a name stands: it leans otherwise where it would leave the map; the last is above its column."""
    x, y = (row + 1.1, row + 0.4) if row + 1 < n else (row + 0.5, row - 0.1)
    wide = max(1.0, 0.6 * len(name))  # cells
    lean = min(math.pi / 4, math.asin(min(1.0, row / wide)))
    if n - x < wide * math.cos(lean):
        lean = math.acos((n - x) / wide) if row + 1 < n else math.pi / 2
    return f'transform="translate({x:.1f} {y:.1f}) rotate({-math.degrees(lean):.0f})"'


def png(weights: np.ndarray, is_causal: bool, palette: bytes) -> bytes:
    """A map [query, key] as a PNG of one pixel a cell, 255 colours for the square root of a weight.

    Nothing in the masked future.
    """
    n = len(weights)
    shades = np.clip(np.rint(np.sqrt(weights) * 254), 0, 254).astype(np.uint8) + 1
    return indexed_png(unpack(pack(shades, is_causal), n, is_causal), b"\0\0\0" + palette, clear=True)


def _palette(stops: Sequence[str]) -> bytes:
    """255 colours between the stops, three bytes each."""
    colours = between(stops, np.linspace(0, 1, 255))
    colour_bytes: bytes = np.rint(colours).astype(np.uint8).tobytes()
    return colour_bytes


def _text(text: str) -> str:
    return html.escape(text)

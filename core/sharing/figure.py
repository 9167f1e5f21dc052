"""A head, its program and their difference on a passage, as a figure for paper: PDF, SVG, PNG, and CSV."""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure

from core.display import CIVIDIS, PUOR

_CIVIDIS = LinearSegmentedColormap.from_list("cividis of the app", CIVIDIS)
_PUOR = LinearSegmentedColormap.from_list("orange and purple of the app", PUOR)
_FONTS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "path",
    "svg.hashsalt": "headscript",  # the same figure is the same file
}
_TIMELESS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
_LINE = 1.15  # font sizes from a token to the next
_PANEL = 0.28  # of the width
_SMALLEST = 4.0  # points; where tokens would have to be smaller, they are numbered

FORMATS = (*_TIMELESS, "csv")


@dataclass(frozen=True)
class Comparison:
    """A head and a program on the first tokens of a passage."""

    title: str
    tokens: tuple[str, ...]  # as the model reads them, [token]
    head: np.ndarray  # float [query, key]
    program: np.ndarray  # float [query, key]
    caption: str


def figure_bytes(found: Comparison, form: str, width: float, font: float) -> tuple[bytes, str]:
    """The figure as a file of this form, one of FORMATS, and what there is to tell about it.

    `width` is in inches, `font` in points. Colours are on a square-root scale, on which small weights show.
    """
    if form == "csv":
        return _numbers(found).encode(), ""
    with rc_context(_FONTS | {"font.size": font}), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        held = io.BytesIO()
        _drawn(found, width, font).savefig(
            held, format=form, dpi=300, bbox_inches="tight", metadata=_TIMELESS[form]
        )
    lacks = any("missing from font" in str(one.message) for one in warned)
    return held.getvalue(), "the font lacks characters of some tokens, which show as boxes" if lacks else ""


def form_of(path: Path) -> str:
    """The form that a file's name asks for; raises ValueError for any but FORMATS."""
    form = path.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise ValueError(f"{path.name!r}: a figure is written as {', '.join('.' + one for one in FORMATS)}")
    return form


def _drawn(found: Comparison, width: float, font: float) -> Figure:
    n = len(found.tokens)
    figure = Figure(figsize=(width, width * 0.47), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    most = float(np.abs(found.head - found.program).max()) or 1.0
    weights, apart = PowerNorm(0.5, 0, 1), Normalize(-most, most)
    shown: list[tuple[str, np.ndarray, Colormap, Normalize]] = [
        ("head", found.head, _CIVIDIS, weights),
        ("program", found.program, _CIVIDIS, weights),
        ("head − program", found.head - found.program, _PUOR, apart),
    ]
    size = min(font * 0.75, width * _PANEL * 72 / n / _LINE)
    for panel, (name, cells, colours, norm) in zip(panels, shown, strict=True):
        image = panel.imshow(
            np.where(np.tri(n, dtype=bool) | cells.astype(bool), cells, np.nan), cmap=colours, norm=norm
        )
        panel.set_title(name, fontsize=font)
        panel.spines[:].set_linewidth(0.4)
        _name_tokens(panel, found.tokens, size, font * 0.75, panel is panels[0])
        bar = figure.colorbar(image, ax=panel, location="bottom", fraction=0.05, pad=0.02)
        bar.ax.tick_params(labelsize=font * 0.75, width=0.4, length=2)
        bar.outline.set_linewidth(0.4)
    panels[0].set_ylabel("query")
    figure.suptitle(found.title, fontsize=font * 1.1, parse_math=False)
    figure.supxlabel(found.caption, fontsize=font * 0.8, parse_math=False, wrap=True)
    return figure


def _name_tokens(
    panel: Axes, tokens: tuple[str, ...], size: float, of_numbers: float, is_first: bool
) -> None:
    """Tokens at both axes, in letters of a size; numbers where they would be too small to read."""
    panel.tick_params(width=0.4, length=1.5, labelsize=of_numbers, labelleft=is_first)
    if size < _SMALLEST:
        return
    names = [_visible(token) for token in tokens]
    panel.set_xticks(range(len(tokens)), names, rotation=90, fontsize=size)
    panel.set_yticks(range(len(tokens)), names, fontsize=size)
    for label in (*panel.get_xticklabels(), *panel.get_yticklabels()):
        label.set_parse_math(False)


def _visible(token: str) -> str:
    """A token with its white space as signs."""
    return token.replace("\n", "↵").replace("\t", "→").replace(" ", "·") or "∅"


def _numbers(found: Comparison) -> str:
    """The numbers behind the figure, a line a pair of tokens."""
    held = io.StringIO()
    lines = csv.writer(held, lineterminator="\n")
    lines.writerow(["query", "key", "query token", "key token", "head", "program"])
    for query, key in np.argwhere((found.head > 0) | (found.program > 0)).tolist():
        pair = found.head[query, key], found.program[query, key]
        lines.writerow([query, key, found.tokens[query], found.tokens[key], *(f"{one:.6g}" for one in pair)])
    return held.getvalue()

"""What every figure has in common: its size, its letters, its files."""

from __future__ import annotations

import csv
import io
import math
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from core.display import CIVIDIS, PUOR

SEQUENTIAL = LinearSegmentedColormap.from_list("cividis of the app", CIVIDIS)
DIVERGING = LinearSegmentedColormap.from_list("orange and purple of the app", PUOR)
SMALL = 0.8  # of the size of letters: captions and ticks
_LARGE = 1.1  # the same: titles
_LETTER = 0.62  # of the size of letters: how wide one is, rather too much
_MARGIN = 0.03  # inches above and below
Row = Sequence[str | int | float | None]
_FONTS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "path",
    "svg.hashsalt": "headscript",  # the same figure is the same file
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.4,
    "ytick.major.width": 0.4,
    "text.parse_math": False,  # a token of dollars is no formula
    "legend.frameon": False,
}
_TIMELESS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}

FORMATS = (*_TIMELESS, "csv")


class Drawable(Protocol):
    """A kind of figure."""

    def drawn(self, width: float, font: float) -> Figure:
        """It on paper: `width` in inches, `font`, the size of its letters, in points."""

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """The numbers behind it: names of columns, and rows."""


def figure_bytes(found: Drawable, form: str, width: float, font: float) -> tuple[bytes, str]:
    """The figure as a file of this form, one of FORMATS, and what there is to tell about it.

    `width` is in inches, `font` in points.
    """
    if form == "csv":
        return _csv(found).encode(), ""
    with rc_context(_FONTS | {"font.size": font}), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        held, figure = io.BytesIO(), found.drawn(width, font)
        figure.savefig(held, format=form, dpi=300, bbox_inches=_page(figure), metadata=_TIMELESS[form])
    lacks = any("missing from font" in str(one.message) for one in warned)
    return held.getvalue(), "the font lacks characters of some texts, which show as boxes" if lacks else ""


def form_of(path: Path, others: Sequence[str] = ()) -> str:
    """The form that a file's name asks for; raises ValueError for any but FORMATS and `others`."""
    form = path.suffix.lower().lstrip(".")
    known = (*FORMATS, *others)
    if form not in known:
        raise ValueError(f"{path.name!r}: a figure is written as {', '.join('.' + one for one in known)}")
    return form


def _page(figure: Figure) -> Bbox:
    """The whole width of a figure, and of its height what is drawn on, inches."""
    figure.draw_without_rendering()  # it is laid out then
    drawn = figure.get_tightbbox()
    return Bbox.from_extents(0, drawn.y0 - _MARGIN, figure.get_figwidth(), drawn.y1 + _MARGIN)


def chart(width: float, height: float, across: str, up: str, font: float) -> tuple[Figure, Axes]:
    """A figure, and its one panel with named axes and no frame above and to the right.

    `width` and `height` are in inches, `font` in points.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    panel = figure.subplots()
    panel.set_xlabel(across, fontsize=font)
    panel.set_ylabel(up, fontsize=font)
    panel.tick_params(labelsize=font * SMALL, length=2)
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel


def entitle(figure: Figure, title: str, caption: str, font: float) -> None:
    """A title above, over as many lines as it takes, and a caption below."""
    lines = title_lines(title, figure.get_figwidth(), font)
    figure.suptitle("\n".join(lines), fontsize=font * _LARGE)
    figure.supxlabel(caption, fontsize=font * SMALL, wrap=True)


def title_lines(title: str, width: float, font: float) -> list[str]:
    """A title as lines that a figure of a width holds."""
    return textwrap.wrap(title, max(8, int(width * 72 / (_LETTER * _LARGE * font)))) or [""]


def legend_below(panel: Axes, height: float, handles: Sequence[Artist], width: float, font: float) -> None:
    """What colours mean, below the name of the horizontal axis of a panel that is so many inches high."""
    panel.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -3.4 * font / 72 / height),
        ncols=_columns(len(handles), width, font), fontsize=font * SMALL, handlelength=1.6, handleheight=1,
    )  # fmt: skip


def room_below(legends: int, width: float, font: float) -> float:
    """Inches for title, axis, a legend of so many entries, and caption."""
    return (8.5 + 1.6 * math.ceil(legends / _columns(legends, width, font))) * font / 72


def _columns(legends: int, width: float, font: float) -> int:
    return max(1, min(legends, int(width * 72 / font / 11)))


def tick_step(count: int, width: float, font: float) -> int:
    """Every which of so many numbers can be written along an axis of most of the width."""
    return max(1, math.ceil(count * font * 1.6 / (0.8 * width * 72)))


def _csv(found: Drawable) -> str:
    held = io.StringIO()
    lines = csv.writer(held, lineterminator="\n")
    header, rows = found.numbers()
    lines.writerow(header)
    for row in rows:
        lines.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    return held.getvalue()

"""Distributions of IoU, perplexity against the share of heads replaced, and what rises or falls with time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, ScalarFormatter

from core.display import CIVIDIS, COSTS, LINES
from core.sharing.figures.paper import SMALL, Row, chart, entitle
from core.types import CurvePoint, Measure

_HEIGHT = 0.72  # of the width
_MARK = "#b35806"


@dataclass(frozen=True)
class Histogram:
    """How many of what is counted have which value, from 0 to 1 in equal bins."""

    title: str
    what: str  # "IoU, test"
    counted: str  # "heads"
    values: Sequence[float]
    caption: str
    marks: Mapping[str, float] = field(default_factory=dict)  # lines to compare with, by name
    bins: int = 20

    def drawn(self, width: float, font: float) -> Figure:
        """Bars, with a line at the mean and at each mark."""
        figure, panel = chart(width, width * _HEIGHT, self.what, self.counted, font)
        edges = np.linspace(0, 1, self.bins + 1)
        panel.hist(np.clip(self.values, 0, 1), bins=edges.tolist(), color=CIVIDIS[5], rwidth=0.92)
        mean = float(np.mean(self.values))
        panel.axvline(mean, color=_MARK, linewidth=1.2, label=f"mean {mean:.3f}")
        for name, value in self.marks.items():
            panel.axvline(value, color=_MARK, linewidth=0.7, linestyle=":")
            panel.annotate(
                name, (value, 1), xycoords=("data", "axes fraction"), rotation=35, ha="left", va="bottom",
                fontsize=font * SMALL, annotation_clip=False,
            )  # fmt: skip
        panel.set_xlim(0, 1)
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
        panel.legend(fontsize=font * SMALL, loc="upper left")
        entitle(figure, self.title, self.caption, font)
        return figure

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a bin."""
        counts, edges = np.histogram(np.clip(self.values, 0, 1), bins=self.bins, range=(0, 1))
        return ("from", "to", self.counted), (
            (float(low), float(high), int(count))
            for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
        )


@dataclass(frozen=True)
class CurveFigure:
    """What replacing heads costs against their share, a line an order and, dashed, a control."""

    title: str
    rows: Sequence[CurvePoint]
    caption: str
    measure: Measure = "next tokens"

    def drawn(self, width: float, font: float) -> Figure:
        """Lines with 95 % bands; the vertical scale is logarithmic above 0.1."""
        words = COSTS[self.measure]
        has_perplexity = bool(words.perplexity)
        up = f"{words.perplexity} increase" if has_perplexity else words.distance
        figure, panel = chart(width, width * 0.62, "share of heads replaced", up, font)
        orders = list(dict.fromkeys((row.order, row.control) for row in self.rows))
        for at, (order, is_control) in enumerate(orders):
            some = sorted(
                (row for row in self.rows if (row.order, row.control) == (order, is_control)),
                key=lambda row: row.share,
            )
            shares = [row.share for row in some]
            colour = LINES[at % len(LINES)]
            panel.plot(shares, [self._cost(row) for row in some], color=colour, label=order, linewidth=1.2,
                       linestyle="--" if is_control else "-", marker="o", markersize=2)  # fmt: skip
            if has_perplexity:
                low, high = [row.low for row in some], [row.high for row in some]
                panel.fill_between(shares, low, high, color=colour, alpha=0.15, linewidth=0)
        panel.set_yscale("symlog", linthresh=0.1)
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.yaxis.set_major_formatter(
            PercentFormatter(1, decimals=0) if has_perplexity else ScalarFormatter()
        )
        panel.legend(fontsize=font * SMALL)
        entitle(figure, self.title, self.caption, font)
        return figure

    def _cost(self, row: CurvePoint) -> float:
        return row.increase if COSTS[self.measure].perplexity else row.kl

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a point."""
        return ("order", "control", "heads", "share", "increase", "low", "high", "kl"), (
            (row.order, int(row.control), row.heads, row.share, row.increase, row.low, row.high, row.kl)
            for row in self.rows
        )


@dataclass(frozen=True)
class LineFigure:
    """What a number was at each step, a line a name."""

    title: str
    across: str  # "minutes"
    up: str
    lines: Mapping[str, Sequence[tuple[float, float]]]  # across, up
    caption: str

    def drawn(self, width: float, font: float) -> Figure:
        """The lines, with a legend where there are several."""
        figure, panel = chart(width, width * _HEIGHT, self.across, self.up, font)
        for at, (name, points) in enumerate(self.lines.items()):
            places, values = [x for x, _ in points], [y for _, y in points]
            panel.plot(
                places, values, color=LINES[at % len(LINES)], label=name, linewidth=1.2, marker="o",
                markersize=2,
            )  # fmt: skip
        if len(self.lines) > 1:
            panel.legend(fontsize=font * SMALL)
        entitle(figure, self.title, self.caption, font)
        return figure

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a point."""
        return ("line", self.across, self.up), (
            (name, float(x), float(y)) for name, points in self.lines.items() for x, y in points
        )

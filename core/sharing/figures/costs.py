"""What hybrids cost against the share of heads that they replace, a point each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from core.display import LINES
from core.sharing.figures.paper import SMALL, Row, chart, entitle

_HEIGHT = 0.62  # of the width
_MARK = "#b35806"
_PUBLISHED_AT = 0.25  # of the heads


@dataclass(frozen=True)
class HybridCost:
    """A hybrid's cost with its 95 % interval."""

    title: str
    share: float
    cost: float
    low: float
    high: float


@dataclass(frozen=True)
class CostFigure:
    """Costs with their intervals, beside published ones at a quarter of the heads, by name."""

    title: str
    what: str  # "perplexity increase"
    hybrids: Sequence[HybridCost]
    caption: str
    is_share: bool = True  # written in per cent
    published: Mapping[str, float] | None = None

    def drawn(self, width: float, font: float) -> Figure:
        """Points with bars; a named mark a published cost."""
        figure, panel = chart(width, width * _HEIGHT, "share of heads replaced", self.what, font)
        for one in self.hybrids:
            panel.vlines(one.share, one.low, one.high, color=LINES[0], linewidth=1.0)
        shares, costs = [one.share for one in self.hybrids], [one.cost for one in self.hybrids]
        panel.scatter(shares, costs, s=2 * font, color=LINES[0], linewidths=0, zorder=3)
        for name, cost in (self.published or {}).items():
            panel.plot(_PUBLISHED_AT, cost, marker="_", markersize=font, color=_MARK)
            panel.annotate(
                name, (_PUBLISHED_AT, cost), xytext=(0.8 * font, 0), textcoords="offset points",
                va="center", fontsize=font * SMALL, color=_MARK,
            )  # fmt: skip
        panel.set_xlim(left=0)
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.yaxis.set_major_formatter(PercentFormatter(1) if self.is_share else ScalarFormatter())
        entitle(figure, self.title, self.caption, font)
        return figure

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a hybrid, then a published cost."""
        rows = [(one.title, one.share, one.cost, one.low, one.high) for one in self.hybrids]
        published = [(f"{name}, published", _PUBLISHED_AT, cost, None, None)
                     for name, cost in (self.published or {}).items()]  # fmt: skip
        return ("hybrid", "share", self.what, "low", "high"), [*rows, *published]

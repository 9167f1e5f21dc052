"""Two figures against each other, a point a head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from core.sharing.figures.paper import SMALL, Row, chart, entitle

_HEIGHT = 0.72  # of the width


@dataclass(frozen=True)
class Point:
    """A head, the kind that its colour tells, and its two figures."""

    name: str
    kind: str
    across: float
    up: float


@dataclass(frozen=True)
class ScatterFigure:
    """Points in the colours of their kinds."""

    title: str
    across: str
    up: str
    points: Sequence[Point]
    colours: Mapping[str, str]  # of every kind, in the order of the legend
    caption: str

    def drawn(self, width: float, font: float) -> Figure:
        """The points with a legend of the kinds that there are."""
        figure, panel = chart(width, width * _HEIGHT, self.across, self.up, font)
        for kind, colour in self.colours.items():
            some = [point for point in self.points if point.kind == kind]
            if some:
                across, up = [point.across for point in some], [point.up for point in some]
                panel.scatter(across, up, s=font, color=colour, linewidths=0, alpha=0.85, label=kind)
        panel.legend(fontsize=font * SMALL)
        entitle(figure, self.title, self.caption, font)
        return figure

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a head."""
        return ("head", "audits say", self.across, self.up), (
            (point.name, point.kind, point.across, point.up) for point in self.points
        )

"""Which heads' programs look at which other heads: layers across, heads down, an arrow a look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from core.review import Circuit, Edge
from core.sharing.figures.paper import SEQUENTIAL, SMALL, Row, entitle, legend_below, room_below, tick_step
from core.types import HeadId

_COLOURS = {"follows": "#b35806", "turns away": "#6a3d9a", "otherwise": "#5b6376"}
_STYLES: Mapping[str, Any] = {"follows": "-", "turns away": (0, (4, 2)), "otherwise": ":"}


@dataclass(frozen=True)
class GraphFigure:
    """A circuit on paper; `lit` shows one head's arrows only."""

    title: str
    layers: int
    heads: int
    circuit: Circuit
    caption: str
    lit: HeadId | None = None

    def drawn(self, width: float, font: float) -> Figure:
        """Nodes coloured by IoU, arrows as wide as the exponent is large."""
        height = width * min(1.2, 1.3 * self.heads / self.layers)
        room = room_below(len(_COLOURS), width, font)
        figure = Figure(figsize=(width, height + room), layout="constrained")
        panel = figure.subplots()
        reach = width * 72 / self.layers  # points from a layer to the next
        for edge in self._edges():
            panel.add_patch(self._arrow(edge, reach))
        nodes = list(self.circuit.nodes.values())
        dots = panel.scatter(
            [node.head.layer for node in nodes], [node.head.head for node in nodes],
            c=[node.iou for node in nodes], cmap=SEQUENTIAL, norm=Normalize(0, 1), s=(0.36 * reach) ** 2,
            edgecolors="#1b2130", linewidths=0.3, zorder=3,
        )  # fmt: skip
        bar = figure.colorbar(dots, ax=panel, fraction=0.02, pad=0.01)
        bar.set_label("IoU, test", fontsize=font * SMALL)
        bar.ax.tick_params(labelsize=font * SMALL, length=2)
        bar.outline.set_linewidth(0.4)
        panel.set(xlim=(-0.7, self.layers - 0.3), ylim=(self.heads - 0.3, -0.7))
        panel.set_xticks(range(0, self.layers, tick_step(self.layers, width, font)))
        panel.set_yticks(range(self.heads))
        panel.tick_params(labelsize=font * SMALL, length=0)
        panel.set_xlabel("layer", fontsize=font)
        panel.set_ylabel("head", fontsize=font)
        panel.spines[:].set_visible(False)
        handles = [
            Line2D([], [], color=colour, linestyle=_STYLES[kind], label=kind)
            for kind, colour in _COLOURS.items()
        ]
        legend_below(panel, height, handles, width, font)
        entitle(figure, self.title, self.caption, font)
        return figure

    def _edges(self) -> list[Edge]:
        return [edge for edge in self.circuit.edges if self.lit in (None, edge.reader, edge.read)]

    def _arrow(self, edge: Edge, reach: float) -> FancyArrowPatch:
        kind = _kind(edge)
        is_dense = self.lit is None and len(self.circuit.edges) > 60
        return FancyArrowPatch(
            (edge.read.layer, edge.read.head), (edge.reader.layer, edge.reader.head),
            arrowstyle="-|>", mutation_scale=max(2.0, reach / 4), shrinkA=reach * 0.18, shrinkB=reach * 0.18,
            connectionstyle="arc3,rad=0.12", color=_COLOURS[kind], linestyle=_STYLES[kind],
            linewidth=0.25 + 1.4 * min(1.0, edge.strength), alpha=0.35 if is_dense else 0.9, zorder=2,
        )  # fmt: skip

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line an arrow."""
        return ("read", "reader", "exponent", "kind"), (
            (str(edge.read), str(edge.reader), edge.exponent, _kind(edge)) for edge in self._edges()
        )


def _kind(edge: Edge) -> str:
    if edge.exponent is None:
        return "otherwise"
    return "turns away" if edge.exponent < 0 else "follows"

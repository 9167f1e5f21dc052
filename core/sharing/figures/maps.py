"""All heads of a model as a map: layers across, heads down, coloured by a figure or by a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from core.sharing.figures.paper import (
    DIVERGING,
    SEQUENTIAL,
    SMALL,
    Row,
    entitle,
    legend_below,
    room_below,
    tick_step,
)
from core.types import HeadId

_NONE = "#ffffff"  # where there is no value


@dataclass(frozen=True)
class HeadMap:
    """A value of each head: a number, or the name of a kind that `colours` knows."""

    title: str
    what: str  # "IoU, test"
    layers: int
    heads: int
    values: Mapping[HeadId, float | str]
    caption: str
    bounds: tuple[float, float] = (0.0, 1.0)  # of numbers; below 0 they are drawn in two colours
    colours: Mapping[str, str] = field(default_factory=dict)

    def drawn(self, width: float, font: float) -> Figure:
        """The map with its scale."""
        found = [name for name in self.colours if name in self.values.values()]
        height = 0.9 * width * self.heads / self.layers
        below = room_below(len(found), width, font) if found else 5.5 * font / 72
        figure = Figure(figsize=(width, height + below), layout="constrained")
        panel = figure.subplots()
        if self.colours:
            cells = np.ones((self.heads, self.layers, 3))
            for head, value in self.values.items():
                cells[head.head, head.layer] = to_rgb(self.colours.get(str(value), _NONE))
            panel.imshow(cells)
            patches = [Patch(fc=self.colours[name], ec="#555555", lw=0.3, label=name) for name in found]
            legend_below(panel, height, patches, width, font)
        else:
            numbers = np.full((self.heads, self.layers), np.nan)
            for head, value in self.values.items():
                numbers[head.head, head.layer] = value
            map_ = DIVERGING if self.bounds[0] < 0 else SEQUENTIAL
            image = panel.imshow(numbers, cmap=map_, norm=Normalize(*self.bounds))
            bar = figure.colorbar(image, ax=panel, fraction=0.02, pad=0.01)
            bar.ax.tick_params(labelsize=font * SMALL, length=2)
            bar.outline.set_linewidth(0.4)
        self._name_axes(panel, width, font)
        entitle(figure, f"{self.title}: {self.what}", self.caption, font)
        return figure

    def _name_axes(self, panel: Axes, width: float, font: float) -> None:
        step = tick_step(self.layers, width, font)
        panel.set_xticks(range(0, self.layers, step))
        panel.set_yticks(range(0, self.heads, step))
        panel.tick_params(labelsize=font * SMALL, length=1.5)
        panel.set_xlabel("layer", fontsize=font)
        panel.set_ylabel("head", fontsize=font)

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a head."""
        return ("head", "layer", "number", self.what), (
            (str(head), head.layer, head.head, self.values[head]) for head in sorted(self.values)
        )

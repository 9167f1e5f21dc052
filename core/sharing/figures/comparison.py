"""A head, its program and their difference on a passage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, FuncNorm, Normalize, PowerNorm
from matplotlib.figure import Figure

from core.sharing.figures.paper import DIVERGING, SEQUENTIAL, Row, entitle
from core.sharing.snippet import Drawn

_LINE = 1.15  # font sizes from a token to the next
_PANEL = 0.28  # of the width
_SMALLEST = 4.0  # points; where tokens would have to be smaller, they are numbered

_ROOTS = (lambda x: np.sign(x) * np.sqrt(np.abs(x)), lambda x: np.sign(x) * np.square(x))  # and back


@dataclass(frozen=True)
class Comparison(Drawn):
    """The same as a figure."""

    def drawn(self, width: float, font: float) -> Figure:
        """The three maps; colours are on a square-root scale, on which small weights show.

        Contributions beyond 1 have the last colour.
        """
        return _drawn(self, width, font)

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """A line a pair of tokens that has any weight."""
        pairs = np.argwhere((self.head != 0) | (self.program != 0)).tolist()
        names = [f"{name} contribution" if self.is_signed else name for name in ("head", "program")]
        return ("query", "key", "query token", "key token", *names), (
            (q, k, self.tokens[q], self.tokens[k], float(self.head[q, k]), float(self.program[q, k]))
            for q, k in pairs
        )


def _drawn(found: Comparison, width: float, font: float) -> Figure:
    n = len(found.tokens)
    figure = Figure(figsize=(width, width * 0.47), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    most = float(np.abs(found.head - found.program).max()) or 1.0
    apart = Normalize(-most, most)
    colours: Colormap = DIVERGING if found.is_signed else SEQUENTIAL
    cells: Normalize = FuncNorm(_ROOTS, -1, 1) if found.is_signed else PowerNorm(0.5, 0, 1)
    shown: list[tuple[str, np.ndarray, Colormap, Normalize]] = [
        ("head", found.head, colours, cells),
        ("program", found.program, colours, cells),
        ("head − program", found.head - found.program, DIVERGING, apart),
    ]
    size = min(font * 0.75, width * _PANEL * 72 / n / _LINE)
    for panel, (name, map_, palette, norm) in zip(panels, shown, strict=True):
        image = panel.imshow(
            np.where(np.tri(n, dtype=bool) | map_.astype(bool), map_, np.nan), cmap=palette, norm=norm
        )
        panel.set_title(name, fontsize=font)
        panel.spines[:].set_linewidth(0.4)
        _name_tokens(panel, found.tokens, size, font * 0.75, panel is panels[0])
        is_beyond = norm is cells and found.is_signed and np.abs(map_).max() > 1
        bar = figure.colorbar(
            image,
            ax=panel,
            location="bottom",
            fraction=0.05,
            pad=0.02,
            extend="both" if is_beyond else "neither",
        )
        if norm is cells and found.is_signed:
            bar.set_ticks([-1, -0.25, 0, 0.25, 1])
        if norm is apart:
            bar.set_ticks([-most, 0, most], labels=[f"−{most:.2g}", "0", f"{most:.2g}"])
        bar.ax.tick_params(labelsize=font * 0.75, width=0.4, length=2)
        bar.outline.set_linewidth(0.4)
    panels[0].set_ylabel("query")
    entitle(figure, found.title, found.caption, font)
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


def _visible(token: str) -> str:
    """A token with its white space as signs."""
    return token.replace("\n", "↵").replace("\t", "→").replace(" ", "·") or "∅"

"""A table on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from core.sharing.figures.paper import Row, entitle, title_lines

_GAP = 3  # letters between columns
_ROW = 1.7  # sizes of letters from a row to the next
_LONGEST = 64  # letters of a cell that are drawn


@dataclass(frozen=True)
class TableFigure:
    """Rows under their names; the first `most` are drawn, all are in the numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    caption: str
    most: int = 30

    @classmethod
    def of(cls, title: str, frame: pd.DataFrame, caption: str) -> Self:
        """The columns of a frame, as a page shows them."""
        rows = [tuple(_plain(cell) for cell in row) for row in frame.itertuples(index=False, name=None)]
        return cls(title, [str(name) for name in frame.columns], rows, caption)

    def drawn(self, width: float, font: float) -> Figure:
        """The table with a rule below its head, in smaller letters where it would be too wide."""
        cells = [[_shown(cell) for cell in row] for row in self.rows[: self.most]]
        widths = [max(len(name), *(len(row[at]) for row in cells), 1) if cells else len(name)
                  for at, name in enumerate(self.columns)]  # fmt: skip
        letters = sum(widths) + _GAP * len(widths)
        size = min(font, width * 72 / (0.56 * letters))
        height = (len(cells) + 1) * _ROW * size / 72
        room = (4 + len(title_lines(self.title, width, font))) * font / 72
        figure = Figure(figsize=(width, height + room), layout="constrained")
        panel = figure.subplots()
        panel.set(xlim=(0, letters), ylim=(len(cells) + 0.5, -0.7))
        panel.axis("off")
        left = 0
        for at, name in enumerate(self.columns):
            is_number = bool(cells) and all(isinstance(row[at], int | float | None) for row in self.rows)
            place, side = (left + widths[at], "right") if is_number else (left, "left")
            panel.text(place, 0, name, ha=side, va="center", fontsize=size, weight="bold")
            for row, line in enumerate(cells, 1):
                panel.text(place, row, line[at], ha=side, va="center", fontsize=size)
            left += widths[at] + _GAP
        panel.axhline(0.5, color="#1b2130", linewidth=0.6)
        left_out = len(self.rows) - len(cells)
        note = f" {left_out} more rows are in the CSV." if left_out else ""
        entitle(figure, self.title, self.caption + note, font)
        return figure

    def numbers(self) -> tuple[Row, Iterable[Row]]:
        """The table."""
        return self.columns, self.rows


def _plain(cell: Any) -> str | int | float | None:
    """A cell of a frame as a value of a row; several are listed, what is not known is None."""
    if isinstance(cell, list | tuple | np.ndarray):
        return ", ".join(f"{one:.2f}" if isinstance(one, float) else str(one) for one in cell)
    if pd.isna(cell):
        return None
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M")
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else ""
    if isinstance(cell, int | np.integer):
        return int(cell)
    return float(cell) if isinstance(cell, float | np.floating) else str(cell)


def _shown(cell: str | int | float | None) -> str:
    if cell is None:
        return "–"
    text = f"{cell:.3f}" if isinstance(cell, float) else " ".join(str(cell).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

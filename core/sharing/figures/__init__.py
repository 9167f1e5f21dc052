"""Figures for paper: PDF, SVG and PNG at the size of a column, and the numbers behind each as CSV.

figure_bytes(Comparison(...), "pdf", width, font)    any kind of figure as a file
made.head_map(workspace, model, "IoU")               the figures of a workspace

A kind of figure is a frozen dataclass with `drawn` and `numbers`, see `paper.Drawable`.
"""

from core.sharing.figures.comparison import Comparison
from core.sharing.figures.costs import CostFigure, HybridCost
from core.sharing.figures.graph import GraphFigure
from core.sharing.figures.lines import CurveFigure, Histogram, LineFigure
from core.sharing.figures.maps import HeadMap
from core.sharing.figures.paper import FORMATS, Drawable, figure_bytes, form_of
from core.sharing.figures.points import ScatterFigure
from core.sharing.figures.tables import TableFigure

__all__ = [
    "FORMATS",
    "Comparison",
    "CostFigure",
    "CurveFigure",
    "Drawable",
    "GraphFigure",
    "HeadMap",
    "Histogram",
    "HybridCost",
    "LineFigure",
    "ScatterFigure",
    "TableFigure",
    "figure_bytes",
    "form_of",
]

"""Figures for paper, read back as files."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.review import Circuit, Edge, Node
from core.sharing.figures import (
    Comparison,
    CurveFigure,
    Drawable,
    GraphFigure,
    HeadMap,
    Histogram,
    LineFigure,
    ScatterFigure,
    TableFigure,
    figure_bytes,
    form_of,
)
from core.sharing.figures.paper import DIVERGING
from core.sharing.figures.points import Point
from core.types import CurvePoint, HeadId

TOKENS = ("The", " $x$", "\n", " of", " <b>")


def comparison() -> Comparison:
    rng = np.random.default_rng(0)
    head, program = (np.tril(rng.random((5, 5))) for _ in range(2))
    return Comparison(
        "tiny L0H1",
        TOKENS,
        head / head.sum(1, keepdims=True),
        program / program.sum(1, keepdims=True),
        "5 tokens",
    )


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_figure_is_a_file_of_its_form_and_the_same_each_time(form: str, start: bytes) -> None:
    held, told = figure_bytes(comparison(), form, 3.25, 8)
    assert held.startswith(start)
    assert told == ""
    assert figure_bytes(comparison(), form, 3.25, 8)[0] == held


def test_a_title_that_is_wider_than_the_figure_goes_on_below() -> None:
    title = "SmolLM2-135M-Instruct, 25% of heads, best programs, by cost, calibrated: by genre"
    figure = TableFigure(title, ("genre", "kl"), [("prose", 0.5)], "On 48 passages.").drawn(3.25, 7)
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    assert (drawn.x0 > -0.01, drawn.x1 < 3.26) == (True, True)


def test_the_scale_of_the_difference_names_its_ends() -> None:
    found = comparison()
    most = f"{abs(found.head - found.program).max():.2g}"
    named = [label.get_text() for label in found.drawn(3.25, 8).axes[-1].get_xticklabels()]
    assert named == [f"−{most}", "0", most]


def test_a_png_is_as_wide_as_it_was_asked_to_be() -> None:
    widths = []
    for inches in (3.0, 6.0):
        held, _ = figure_bytes(comparison(), "png", inches, 8)
        widths.append(int.from_bytes(held[16:20], "big") / 300)
    assert widths == pytest.approx([3, 6], abs=0.01)


def test_numbers_are_those_of_the_maps_with_their_tokens() -> None:
    found = comparison()
    rows = list(csv.DictReader(io.StringIO(figure_bytes(found, "csv", 3, 8)[0].decode())))
    assert len(rows) == 15
    for row in rows:
        query, key = int(row["query"]), int(row["key"])
        assert (row["query token"], row["key token"]) == (TOKENS[query], TOKENS[key])
        assert float(row["head"]) == pytest.approx(found.head[query, key], rel=1e-5)
        assert float(row["program"]) == pytest.approx(found.program[query, key], rel=1e-5)


def test_what_the_font_cannot_draw_is_told() -> None:
    found = comparison()
    strange = Comparison(found.title, ("猫", *TOKENS[1:]), found.head, found.program, found.caption)
    assert "lacks characters" in figure_bytes(strange, "png", 3.25, 8)[1]


def test_a_name_without_a_known_ending_is_refused() -> None:
    assert form_of(Path("a.PDF")) == "pdf"
    with pytest.raises(ValueError, match=r"'a\.doc': a figure is written as \.pdf, \.svg, \.png, \.csv"):
        form_of(Path("a.doc"))


def circuit_of_two() -> Circuit:
    nodes = [Node(HeadId(layer, 0), 0.5, 0.5, "other", "undecided", "") for layer in (0, 1)]
    return Circuit({node.head: node for node in nodes}, (Edge(HeadId(1, 0), HeadId(0, 0), -0.5),))


POINTS = tuple(
    CurvePoint(order, order == "first $x$", 1, share, share, share / 2, 2 * share, share / 10, 0)
    for order in ("cost", "first $x$")
    for share in (0.1, 0.5)
)
KINDS: list[Drawable] = [
    HeadMap("m", "IoU, test", 3, 2, {HeadId(0, 0): 0.5, HeadId(2, 1): 1.0}, "c"),
    HeadMap("m", "lift", 3, 2, {HeadId(0, 0): -0.1}, "c", (-0.5, 0.5)),
    HeadMap("m", "kind", 3, 2, {HeadId(0, 0): "a"}, "c", colours={"a": "#000000", "b": "#ff0000"}),
    Histogram("m", "IoU", "heads", [0.1, 0.1, 1.0], "c", {"other": 0.5}),
    CurveFigure("m $x$", POINTS, "c"),
    CurveFigure("m", POINTS, "c", "final states"),
    GraphFigure("m", 2, 1, circuit_of_two(), "c"),
    LineFigure("m", "minutes", "IoU $x$", {"before": [(0, 0.1)], "after": [(0, 0.1), (2, 0.3)]}, "c"),
    ScatterFigure(
        "m",
        "IoU",
        "error $x$",
        [Point("L0H1", "explains", 0.5, 0.25), Point("L0H0", "new", 0, 1)],
        {"explains": "#0000ff", "untestable": "#888888", "new": "#ff0000"},
        "c",
    ),
    TableFigure("m", ("head $x$", "iou"), [("L0H0 $y$" * 40, 0.25), ("L0H1", None)], "c", most=1),
]


@pytest.mark.parametrize("found", KINDS, ids=lambda one: type(one).__name__)
def test_every_kind_of_figure_is_drawn_at_both_widths_without_a_warning(found: Drawable) -> None:
    for width in (3.25, 6.75):
        held, told = figure_bytes(found, "pdf", width, 8)
        assert held.startswith(b"%PDF")
        assert told == ""


def test_the_numbers_behind_each_kind_are_its_own() -> None:
    def rows(found: Drawable) -> list[list[str]]:
        return list(csv.reader(io.StringIO(figure_bytes(found, "csv", 3, 8)[0].decode())))

    assert rows(KINDS[0]) == [
        ["head", "layer", "number", "IoU, test"], ["L0H0", "0", "0", "0.5"], ["L2H1", "2", "1", "1"],
    ]  # fmt: skip
    counts = [row[2] for row in rows(KINDS[3])[1:]]
    assert counts[2] == "2"
    assert counts[19] == "1"
    assert sum(map(int, counts)) == 3
    assert rows(KINDS[4])[3] == ["first $x$", "1", "1", "0.1", "0.1", "0.05", "0.2", "0.01"]
    assert rows(KINDS[6])[1] == ["L0H0", "L1H0", "-0.5", "turns away"]
    assert rows(KINDS[7])[2:] == [["after", "0", "0.1"], ["after", "2", "0.3"]]
    assert rows(KINDS[8])[:2] == [
        ["head", "audits say", "IoU", "error $x$"], ["L0H1", "explains", "0.5", "0.25"],
    ]  # fmt: skip
    assert rows(KINDS[9])[2][1] == ""  # beyond what is drawn, and not known


def test_a_frame_of_a_page_is_a_table_of_plain_cells() -> None:
    frame = pd.DataFrame(
        {
            "heads": [np.int64(3)], "IoU": [np.nan], "tags": [["a", "b"]], "fits": [(0.5, 0.25)],
            "at": [pd.Timestamp("2026-01-02 03:04")], "lookahead": [np.True_], "reviewer": [None],
        }
    )  # fmt: skip
    table = TableFigure.of("m", frame, "c")
    assert list(table.columns) == list(frame.columns)
    assert table.rows == [(3, None, "a, b", "0.50, 0.25", "2026-01-02 03:04", "yes", None)]


def test_only_a_head_is_lit() -> None:
    found = GraphFigure("m", 2, 1, circuit_of_two(), "c", HeadId(0, 1))
    assert list(found.numbers()[1]) == []


def test_contributions_are_drawn_in_two_colours_and_numbered_with_their_signs() -> None:
    cells = np.array([[1.0, 0.0], [-0.5, 1.5]])
    found = Comparison("m L0H0", ("a", "b"), cells, np.diag([1.0, 0.0]), "c", is_signed=True)
    columns, rows = found.numbers()
    assert columns[-2:] == ("head contribution", "program contribution")
    assert [(row[0], row[1], *row[4:]) for row in rows] == [(0, 0, 1, 1), (1, 0, -0.5, 0), (1, 1, 1.5, 0)]
    panels = found.drawn(6.75, 8).axes[:3]
    for panel in panels:
        assert panel.images[0].get_cmap() is DIVERGING
    shades = [panels[0].images[0].norm(value) for value in (-1, -0.25, 0, 0.25, 1)]
    assert shades == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_figures_are_drawn_without_the_library_of_models() -> None:
    """Pages that offer them import it on their first visit, for seconds."""
    code = "import sys, core.sharing.figures.made; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

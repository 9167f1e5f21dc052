"""Figures for paper, read back as files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from core.sharing.figure import Comparison, figure_bytes, form_of

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


def test_a_png_is_as_wide_as_it_was_asked_to_be() -> None:
    widths = []
    for inches in (3.0, 6.0):
        held, _ = figure_bytes(comparison(), "png", inches, 8)
        widths.append(int.from_bytes(held[16:20], "big") / 300)
    assert widths == pytest.approx([3, 6], abs=0.35)  # the margin is cut off


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

"""The map of heads: its marks are seen on every colour."""

import pandas as pd
import pytest

from core.display import PUOR_DARK
from core.ui.parts.charts import head_map, on_light_cells

HEADS = pd.DataFrame(
    {
        "layer": [0, 0, 1],
        "head": [0, 1, 0],
        "iou": [0.1, 0.95, 0.2],
        "lift": [-0.6, 0.0, 0.6],  # darkest purple, white, darkest orange
        "category": ["first token", "uniform", "final token"],
        "verdict": ["accepted", "rejected", "undecided"],
        "mark": ["✓", "✕", ""],
        "name": ["L0H0", "L0H1", "L1H0"],
        "summary": ["", "", ""],
        "rung": ["explains", "fits, does not foresee", "not audited"],
        "over_twin": [-0.6, 0.0, float("nan")],
    }
)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("IoU", [False, True, False]),
        ("Lift", [False, True, False]),
        ("Category", [False, True, True]),
        ("Verdict", [True, True, True]),
        ("Over the twin", [False, True, True]),
        ("Audits", [False, True, True]),
    ],
)
def test_a_light_cell_asks_for_a_dark_mark(colour: str, expected: list[bool]) -> None:
    assert on_light_cells(HEADS, colour).tolist() == expected


def test_a_difference_of_nothing_is_dark_on_a_dark_page() -> None:
    assert on_light_cells(HEADS, "Lift", is_dark=True).tolist() == [True, False, True]
    drawn = head_map(HEADS, "Lift", 3, 1, is_dark=True).to_dict()
    assert drawn["layer"][0]["encoding"]["color"]["scale"]["range"] == list(PUOR_DARK)


def test_every_decided_head_has_one_mark_in_black_or_white() -> None:
    chart = head_map(HEADS, "Lift", 2, 2).to_dict()
    marks = {
        layer["mark"]["color"]: [row["mark"] for row in chart["datasets"][layer["data"]["name"]]]
        for layer in chart["layer"][1:]
    }
    assert marks == {"#000000": ["✕"], "#ffffff": ["✓"]}

"""How alike programs are: IoU between what they produce."""

import numpy as np
import pytest

from core.language import parse
from core.scoring import program_ious, program_maps
from core.types import HeadId
from core.ui.review.alike import LEAST, Alike, compared, differences
from tests.language_cases import CAT, build

FIRST = "def attend(q, k):\n    return k.is_first\n"
NEARLY = "def attend(q, k):\n    return k.is_first + 0.01 * (k == q)\n"
ITSELF = "def attend(q, k):\n    return k == q\n"
FAILS = "def attend(q, k):\n    return 1 / (q.index - q.index)\n"

FEATURES = build(CAT)


def test_iou_of_programs_that_share_the_first_row_only() -> None:
    programs = [parse(source) for source in (FIRST, ITSELF, FAILS)]
    ious = program_ious(program_maps(programs, FEATURES, is_causal=True))
    n = len(CAT)
    assert ious[0, 0] == pytest.approx(1)
    assert ious[0, 1] == pytest.approx(1 / (2 * n - 1))  # one row of n is the same
    assert ious[2].max() == 0


def test_a_program_is_near_its_like_and_the_same_program_of_another_head() -> None:
    sources = {HeadId(0, 0): FIRST, HeadId(0, 1): NEARLY, HeadId(1, 0): ITSELF, HeadId(1, 1): FIRST}
    programs = {(head, parse(source).id): parse(source) for head, source in sources.items()}
    alike = compared(programs, FEATURES, True, None)
    found = alike.of((HeadId(0, 0), parse(FIRST).id))
    assert [head for (head, _), _ in found] == [HeadId(1, 1), HeadId(0, 1)]
    assert found[0][1] == pytest.approx(1)
    assert LEAST <= found[1][1] < 1
    assert alike.of((HeadId(9, 9), "gone")) == []
    assert Alike((), np.zeros((0, 0))).of((HeadId(0, 0), "x")) == []


def test_what_differs_is_told_line_by_line_without_docstrings() -> None:
    own, other = differences(FIRST, 'def attend(q, k):\n    """Itself."""\n    return k == q\n')
    assert (own, other) == (["return k.is_first"], ["return k == q"])

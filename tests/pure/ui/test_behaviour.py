"""Programs are found by the field's words for what they do."""

import pytest

from core.ui.library.behaviour import behaviours


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("if k.prev.lower == q.lower:", "induction"),
        ("if k == q.prev:", "previous token"),
        ("weight *= 0.8 ** (q.index - k.index)", "position"),
        ("if k.is_first:", "sink"),
        ("if k.lower == q.lower:", "duplicate"),
        ("if k.is_punct:", "delimiter"),
        ('if k.pos == "PRON":', "coreference"),
        ('weight *= look("L0H1", q, k)', "composition"),
    ],
)
def test_a_line_has_to_do_with(line: str, words: str) -> None:
    assert words in behaviours(line)
    assert words not in behaviours("weight = 1.0")

"""Two hybrids compared: which heads differ, and what that costs in each genre."""

import pandas as pd
import pytest

from core.sharing.figures.of_two_hybrids import by_genre, heads_apart, is_comparable
from core.types import Estimate, Evaluation, HeadId, HybridProgram, MadeHybrid

ONE, OTHER = "def attend(q, k):\n    return 1\n", "def attend(q, k):\n    return k.is_first\n"


def made(**programs: str) -> MadeHybrid:
    return MadeHybrid(tuple(HybridProgram(HeadId.parse(h), s) for h, s in programs.items()), "one", 0.5)


def test_heads_are_added_lost_or_have_another_program() -> None:
    changes = heads_apart(made(L0H0=ONE, L0H1=ONE, L1H0=ONE), made(L0H0=ONE, L0H1=OTHER, L1H1=ONE))
    assert list(zip(changes["head"], changes.change, strict=True)) == [
        ("L0H1", "with another program"),
        ("L1H0", "lost"),
        ("L1H1", "added"),
    ]
    assert heads_apart(made(L0H0=ONE), made(L0H0=ONE + "\n# the same\n")).empty


def cost(kl: float) -> Evaluation:
    return Evaluation(10.0, 12.0, Estimate(0.2), Estimate(kl), 90, 4, 0)


def test_genres_that_both_were_measured_on_are_subtracted() -> None:
    table = by_genre({"story": cost(0.3), "code": cost(0.1)}, {"story": cost(0.2)})
    assert table.genre.tolist() == ["story"]
    assert table.difference.tolist() == pytest.approx([-0.1])


def test_figures_on_other_passages_are_not_subtracted() -> None:
    row = pd.Series({"kl": 0.1, "passages_from": "test", "measure": "next tokens"})
    assert is_comparable(row, row)
    assert not is_comparable(row, row.replace("test", "mine.txt"))
    assert not is_comparable(row, row.replace(0.1, float("nan")))

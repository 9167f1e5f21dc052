"""What each line of a program is worth to its fit, beside its code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.language import parse
from core.store import Workspace
from core.types import HeadId, Split
from core.ui.review.worth import Worth, worths

SOURCE = (
    "def attend(q, k):\n    weight = 1.0\n    if k.is_first:\n        weight += 90.0\n    return weight\n"
)
WITHOUT = "def attend(q, k):\n    weight = 1.0\n    return weight\n"


def test_a_line_is_worth_what_iou_loses_without_it(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    (model,) = workspace.models.all()
    found = workspace.examiner(model, Split.VALIDATION)
    told = worths(found, HeadId(0, 0), SOURCE, model.is_causal)
    whole, rest = (found.compare(HeadId(0, 0), parse(one)).ious.mean() for one in (SOURCE, WITHOUT))
    some = found.sentences[:: max(1, len(found.sentences) // 8)][:8]
    lengths = np.array([len(found.tokens(one)) for one in some])
    first = lengths.sum() / (lengths * (lengths + 1) / 2).sum()  # each query has one first key
    workspace.close()
    assert list(told) == [3]  # by the line where the statement begins; others cannot be left out
    assert told[3].iou == pytest.approx(whole - rest, abs=1e-6)
    assert told[3].pairs == pytest.approx(first)


def test_worth_is_said_in_words() -> None:
    assert str(Worth(0.1234, 0.5)) == "+0.123"
    assert "loses 0.123; it has a say in 50% of the weights" in Worth(0.1234, 0.5).in_words
    assert "gains 0.020" in Worth(-0.02, 0.5).in_words

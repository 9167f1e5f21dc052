"""How alike heads are."""

import numpy as np
import pytest

from core.scoring.similar_heads import head_ious


def test_equal_heads_are_1_and_others_their_iou() -> None:
    first = np.array([[1, 0], [1, 0]], np.float32)
    second = np.array([[1, 0], [0.5, 0.5]], np.float32)
    layers = [{"a": np.stack([first, second])}, {"a": np.stack([first, first])}]
    ious = head_ious(layers, ["a"], is_causal=True)
    assert ious.shape == (4, 4)
    assert ious[0].tolist() == pytest.approx([1, 1.5 / 2.5, 1, 1])


def test_every_sentence_counts_alike() -> None:
    one = np.ones((2, 1, 1), np.float32)
    two = np.stack([np.array([[1, 0], [1, 0]], np.float32), np.array([[1, 0], [0, 1]], np.float32)])
    ious = head_ious([{"short": one, "long": two}], ["short", "long"], is_causal=True)
    assert ious[0, 1] == pytest.approx((1 + 1 / 3) / 2)


def test_an_encoders_heads_are_compared_in_both_directions() -> None:
    ahead, behind = (np.array(rows, np.float32) for rows in ([[0, 1], [0, 1]], [[1, 0], [0, 1]]))
    ious = head_ious([{"a": np.stack([ahead, behind])}], ["a"], is_causal=False)
    assert ious[0, 1] == pytest.approx(1 / 3)

"""A map as numbers: cells, batches, IoU, its slope."""

import numpy as np
import pytest
import torch

from core.maps import (
    batches,
    cell_count,
    cell_sum,
    first_within,
    iou_from_l1,
    iou_of,
    l1_and_slope,
    like_batches,
    pack,
    pack_tensor,
    places,
    pooled,
    unpack,
)

# Cells


def test_cells_are_the_lower_triangle_or_everything() -> None:
    maps = np.arange(9.0).reshape(1, 3, 3)
    assert pack(maps, True).tolist() == [[0, 3, 4, 6, 7, 8]]
    assert pack(maps, False).tolist() == [[*range(9)]]
    assert (cell_count(3, True), cell_count(3, False)) == (6, 9)
    assert (cell_sum([3, 1, 0], True), cell_sum([3, 1, 0], False)) == (7, 10)


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_arrays_tensors_and_places_agree_on_the_order_of_cells(n: int, is_causal: bool) -> None:
    maps = np.random.default_rng(n).random((2, 3, n, n), np.float32)
    maps = np.tril(maps) if is_causal else maps
    cells = pack(maps, is_causal)
    assert cells.shape == (2, 3, cell_count(n, is_causal))
    np.testing.assert_array_equal(pack_tensor(torch.from_numpy(maps), is_causal), cells)
    np.testing.assert_array_equal(maps[..., *places(n, is_causal)], cells)
    np.testing.assert_array_equal(unpack(cells[1, 2], n, is_causal), maps[1, 2])


def test_pooling_keeps_the_largest_weight_and_the_empty_future() -> None:
    small = pooled(np.array([[[9, 0, 0, 0], [1, 2, 0, 0], [3, 4, 5, 0], [0, 7, 6, 8]]]), 2)
    assert small.tolist() == [[[9, 0], [7, 8]]]
    assert pooled(small, 2) is small


# Batches


def cut(lengths: list[int], tokens: int) -> list[list[int]]:
    return list(like_batches(np.array(lengths), range(len(lengths)), tokens))


def test_like_lengths_share_a_batch():
    assert cut([9, 2, 8, 3], tokens=18) == [[1, 3], [2, 0]]


def test_padded_tokens_stay_within_the_bound():
    lengths = [7, 3, 12, 5, 5, 30, 1]
    for batch in cut(lengths, tokens=24):
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 24


def test_a_passage_longer_than_the_bound_goes_alone():
    assert cut([50, 2, 60], tokens=10) == [[1], [0], [2]]


def test_query_key_pairs_stay_within_the_bound() -> None:
    assert list(like_batches([5, 3, 3, 4], range(4), pairs=32)) == [[1, 2], [3], [0]]
    assert list(like_batches([5, 3, 3, 4], range(4), tokens=8, pairs=32)) == [[1, 2], [3], [0]]
    assert list(like_batches([5, 3, 3, 4], [3, 1], pairs=32)) == [[1, 3]]


def test_batches_in_the_order_given_are_as_wide_as_their_longest_so_far() -> None:
    assert list(batches([4, 1, 1, 1, 5], range(5), tokens=12)) == [[0, 1, 2], [3, 4]]
    assert list(batches([], [], tokens=12)) == []


def test_the_first_passages_within_a_number_of_cells_are_at_least_one() -> None:
    assert [first_within([2, 2, 3], True, cells) for cells in (0, 3, 5, 6, 12)] == [1, 1, 1, 2, 3]
    assert first_within([2, 2, 3], False, 8) == 2


# IoU


def test_iou_of_two_maps_by_hand() -> None:
    some = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]], np.float32)
    other = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0]], np.float32)
    assert iou_of(some, other) == pytest.approx(1.5 / 4.5)  # minima 1 + 0 + 0.5, maxima 1 + 2 + 1.5
    assert float(iou_from_l1(torch.tensor(3.0), 3)) == pytest.approx(1.5 / 4.5)


def test_the_slope_of_a_softmax_is_that_of_autograd() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64).requires_grad_()
    targets = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64).softmax(-1)
    weights = logits.softmax(-1)
    loss = (weights - targets).abs().sum(-1)
    expected = torch.autograd.grad(loss.sum(), logits)[0]
    distances, slope = l1_and_slope(weights.detach(), targets, lambda cells: cells.sum(-1))
    torch.testing.assert_close(distances, loss.detach())
    torch.testing.assert_close(slope, expected)

"""What is measured of a pattern against a head, on maps that fit on the screen."""

import numpy as np
import pytest
import torch

from core.audit import measures
from core.audit.promise import promised, rank, sure_rank
from core.audit.twin import fit_twin
from core.types import AttentionMap, HeadId

A = torch.tensor([[1.0, 0, 0], [0.8, 0.2, 0], [0.8, 0, 0.2]])
X = torch.tensor([[1.0, 0, 0], [1.0, 0.0, 0], [0.8, 0.1, 0.1]])
REST = torch.tensor([[True, False, False]])


def test_off_the_sink_only_the_other_keys_count() -> None:
    # Rows from the second on, without key 0, made to sum to 1: (0 1 0), (0 0 1) and (0 0 0), (0 .5 .5).
    found = measures.off_sink(A[None, None], X[None, None], REST)
    assert found.item() == pytest.approx(0.5 / (1 + 1.5))


def test_a_passage_without_other_keys_tells_nothing_off_the_sink() -> None:
    alone = torch.ones(1, 1, 1, 1)
    assert measures.off_sink(alone, alone, torch.tensor([[True]])).isnan().all()


def test_resting_places_are_keys_that_most_heads_look_at() -> None:
    maps = torch.zeros(1, 2, 8, 8)
    maps[:, :, :, 2] = 0.4
    maps[:, :, 7, 6] = 1.0  # one query is too few
    found = measures.resting_places(maps, torch.tensor([8]), is_causal=True)
    assert found[0].tolist() == [True, False, True, False, False, False, False, False]


def test_what_is_written_is_weights_times_what_keys_carry() -> None:
    z = torch.tensor([[0.0, 0], [3, 0], [0, 4]])
    assert measures.written(A, z).item() == pytest.approx(0.6**2 + 0.8**2)
    assert measures.written_apart(A, X, z).item() == pytest.approx(0.6**2 + (0.3**2 + 0.4**2))
    assert measures.norm_weighted(A, X, z).item() == pytest.approx(0.4 / (0.6 + 0.3 + 0.8))


def test_contributions_are_signed_shares_of_what_is_written() -> None:
    z = torch.tensor([[1.0, 0], [-1, 0], [0, 2]])
    shares = measures.contributions(A, z)
    assert torch.allclose(shares.sum(-1), torch.ones(3))
    assert shares[1].tolist() == pytest.approx([0.8 / 0.6, -0.2 / 0.6, 0])
    planted = measures.contributions(A, z, X)  # of the same outputs, whatever X writes
    expected = [
        [x * (z[j] @ (A @ z)[i]) / (A @ z)[i].square().sum() for j, x in enumerate(row)]
        for i, row in enumerate(X)
    ]
    assert torch.allclose(planted, torch.tensor(expected))
    assert measures.contributions(A, 0 * z).abs().max() == 0  # a head that writes nothing


def test_the_cost_is_half_the_mean_square_of_the_score() -> None:
    slopes = torch.stack([torch.full((3, 3), 2.0), torch.eye(3)])
    # Scores: 2 * sum(X - A) = 0, and the trace of X - A = -0.3.
    assert measures.estimated_cost(A, X, slopes).item() == pytest.approx(0.3**2 / 2 / 2)


def maps(*weights: np.ndarray) -> list[AttentionMap]:
    return [AttentionMap(HeadId(0, 0), str(at), one.astype(np.float32)) for at, one in enumerate(weights)]


def test_a_twin_is_the_mean_of_rows_with_as_many_keys() -> None:
    twin = fit_twin(maps(*[np.array([[1, 0], [0.4, 0.6]])] * 5, *[np.array([[1, 0], [0, 1]])] * 5), True)
    assert twin.pattern(2) == pytest.approx(np.array([[1, 0], [0.2, 0.8]]))


def test_rows_longer_than_any_in_train_follow_first_token_and_distance() -> None:
    row = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.5, 0.2, 0.3]])
    twin = fit_twin(maps(*[row] * 3), True)  # fewer than ten of each
    found = twin.pattern(5)
    assert np.allclose(found.sum(-1), 1)
    assert not np.triu(found, 1).any()
    # Distance 0: (0.5 + 0.3) / 2 = 0.4, distance 1: 0.2; beside the first token's 0.5.
    assert found[4] == pytest.approx([0.5, 0, 0, 0.5 / 3, 1 / 3])


def test_the_twin_of_an_encoder_looks_both_ways() -> None:
    ahead = np.eye(6, k=1)
    ahead[5, 0] = 1
    found = fit_twin(maps(*[ahead] * 3), False).pattern(6)
    assert np.allclose(found.sum(-1), 1)
    assert found[2].argmax() == 3


def test_of_a_thousand_samples_nine_in_ten_fresh_scores_keep_the_promise() -> None:
    rng = np.random.default_rng(0)
    kept, surely = [], []
    for _ in range(1000):
        scores = rng.beta(5, 3, 48)
        fresh = rng.beta(5, 3, 2000)
        kept.append((fresh >= promised(scores, rank(48))).mean())
        surely.append((fresh >= promised(scores, sure_rank(48))).mean())
    assert np.mean(kept) == pytest.approx(0.918, abs=0.01)
    assert np.mean(np.array(surely) < 0.9) < 0.07  # 1 in 20, and what the fresh scores' own chance adds


def test_too_few_scores_promise_nothing() -> None:
    assert [rank(8), rank(9), rank(48)] == [0, 1, 4]
    assert [sure_rank(n) for n in (28, 29, 48, 60, 100, 240)] == [0, 1, 2, 2, 5, 17]
    assert np.isnan(promised(np.ones(8), rank(8)))

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.features import Features, annotate
from core.language import ParsedProgram, parse
from core.maps import cell_count, iou_from_l1, pack_tensor
from core.scoring import BASELINES, ProgramMaps, program_maps, score, sentence_ious
from core.scoring.scores import js_distances, summarise
from core.types import HeadId, Sentence, Split
from tests import tiny

tokenizer = cache(tiny.tokenizer)
FIRST, ITSELF = "k.is_first", "k == q"


def program(expression: str) -> ParsedProgram:
    return parse(f"def attend(q, k):\n    return {expression}\n")


def read(*texts: str) -> Features:
    sentences = [Sentence(f"s{at}", text, "text", Split.TEST) for at, text in enumerate(texts)]
    return annotate(sentences, tokenizer())


def attention(expression: str, text: str, is_causal: bool = True) -> list[list[float]]:
    """The map of one program on one passage."""
    found = program_maps([program(expression)], read(text), is_causal)
    n = len(read(text).token_ids)
    if not is_causal:
        return found.cells[0][0].reshape(n, n).tolist()
    weights = torch.zeros(n, n)
    weights[tuple(torch.tril_indices(n, n))] = found.cells[0][0]
    return weights.tolist()


def stochastic(rng: np.random.Generator, *shape: int, is_causal: bool = True) -> np.ndarray:
    """Random maps [..., query, key] whose rows sum to 1."""
    weights = rng.random(shape) ** 4 + 1e-6
    weights = np.tril(weights) if is_causal else weights
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def iou(some: np.ndarray, other: np.ndarray) -> float:
    """The definition."""
    return float(np.minimum(some, other).sum() / np.maximum(some, other).sum())


# IoU


def test_iou_of_a_head_by_hand():
    head = np.array([[[1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]]], np.float32)
    found = sentence_ious(program_maps([program(FIRST)], read("a b c"), True), {"s0": head})
    assert found.tolist() == [[[pytest.approx(1.5 / 4.5)]]]  # minima 1 + 0 + 0.5, maxima 1 + 2 + 1.5


def test_iou_is_one_for_the_same_map_and_zero_for_disjoint_ones():
    first, itself = np.eye(3)[[0, 0, 0]], np.eye(3)
    heads = np.stack([first, np.roll(itself, 1, axis=1)]).astype(np.float32)
    produced = program_maps([program(FIRST), program(ITSELF)], read("a b c"), False)
    ious = sentence_ious(produced, {"s0": heads})[..., 0]
    assert ious[0, 0] == 1
    assert ious[1, 1] == 0


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 2**32 - 1), is_causal=st.booleans())
def test_iou_follows_from_the_l1_distance(n: int, seed: int, is_causal: bool):
    some, other = stochastic(np.random.default_rng(seed), 2, n, n, is_causal=is_causal)
    distance = np.abs(some - other).sum()
    assert iou_from_l1(distance, n) == pytest.approx(iou(some, other), abs=1e-5)


@pytest.mark.parametrize("is_causal", [True, False])
def test_ious_have_a_value_for_each_program_head_and_sentence(is_causal):
    rng = np.random.default_rng(0)
    texts, expressions = ("a b c", "a b", "c b a c"), (FIRST, ITSELF)
    maps = {f"s{at}": stochastic(rng, 3, n, n, is_causal=is_causal) for at, n in enumerate((3, 2, 4))}
    produced = program_maps([program(e) for e in expressions], read(*texts), is_causal)
    found = sentence_ious(produced, maps)
    expected = [
        [
            [
                iou(np.array(attention(e, text, is_causal)), maps[f"s{at}"][head])
                for at, text in enumerate(texts)
            ]
            for head in range(3)
        ]
        for e in expressions
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_failed_sentence_scores_zero_and_is_counted():
    produced = program_maps([program("1 / (k.index - 3)"), program(FIRST)], read("a b", "a b c a"), True)
    maps = {"s0": np.eye(2, dtype=np.float32)[None], "s1": np.eye(4, dtype=np.float32)[None]}
    ious = sentence_ious(produced, maps)
    assert {at: failure.kind for at, failure in produced.failures.items()} == {(0, 1): "division"}
    assert ious[0, 0, 1] == 0
    scores = score(produced, maps, [HeadId(5, 0)], Split.TEST)
    assert [(s.head, s.sentences, s.failures) for s in scores] == [(HeadId(5, 0), 2, 1), (HeadId(5, 0), 2, 0)]
    assert scores[0].iou.value == pytest.approx(ious[0, 0, 0] / 2)


# Program maps


@pytest.mark.parametrize("is_causal", [True, False])
def test_program_maps_have_a_row_for_each_program(is_causal):
    produced = program_maps([program(FIRST), program(ITSELF), program("1.0")], read("a b c", "a"), is_causal)
    assert [cells.shape for cells in produced.cells] == [(3, cell_count(3, is_causal)), (3, 1)]
    assert produced.programs == (program(FIRST).id, program(ITSELF).id, program("1.0").id)
    assert produced.sentences == ("s0", "s1")


def test_an_encoder_sees_the_tokens_after():
    expected = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # the last token has no next and rests on token 0
    assert attention("k == q.next", "a b c", is_causal=False) == expected


def test_many_passages_are_packed_in_their_own_order():
    features = read(*("a " * n + "b" for n in range(1, 60)))
    produced = program_maps([program("1.0")], features, True)
    assert [cells.shape[1] for cells in produced.cells] == [cell_count(n, True) for n in features.lengths]
    assert [float(cells.sum()) for cells in produced.cells] == pytest.approx(features.lengths.tolist())


# Jensen-Shannon distance


def js(expression: str, head: list[list[float]], is_causal: bool) -> float:
    maps = {"s0": np.array([head], np.float32)}
    return float(js_distances(program_maps([program(expression)], read("a b c"), is_causal), maps)[0, 0])


def test_js_distance_of_equal_maps_is_zero():
    assert js(FIRST, [[1, 0, 0], [1, 0, 0], [1, 0, 0]], True) == 0


def test_js_distance_of_disjoint_maps_is_one():
    assert js(ITSELF, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], False) == 1


def test_js_distance_is_the_mean_over_rows():
    assert js(FIRST, [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]], True) == pytest.approx(2 / 3)


def test_js_distance_of_half_shared_weight_by_hand():
    half = [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]  # row 1: entropy of (3/4, 1/4) minus half a bit
    divergence = -0.75 * np.log2(0.75) - 0.25 * np.log2(0.25) - 0.5
    assert js(FIRST, half, True) == pytest.approx(np.sqrt(divergence) / 3, abs=1e-6)


def test_js_distance_of_a_program_that_always_fails_is_one():
    assert js("1 / (k.index - 1)", [[1, 0, 0], [1, 0, 0], [1, 0, 0]], True) == 1


# Baselines


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first token", [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]),
        ("previous token", [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
        ("uniform", [[1, 0, 0, 0], [1 / 2, 1 / 2, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0], [1 / 4] * 4]),
        ("same token", [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]),  # a b a b
    ],
)
def test_baseline_does_what_it_says(name, expected):
    found = program_maps([parse(BASELINES[name])], read("a b a b"), True)
    np.testing.assert_allclose(found.cells[0][0], pack_tensor(torch.tensor(expected), True))


def test_random_baseline_chooses_one_earlier_token_and_varies():
    found = program_maps([parse(BASELINES["random token"])], read("a b c d e f g h"), True).cells[0][0]
    weights = torch.zeros(8, 8)
    weights[tuple(torch.tril_indices(8, 8))] = found
    assert weights.sort(-1).values.tolist() == [[0] * 7 + [1]] * 8
    chosen = weights.argmax(-1)
    assert len(set((torch.arange(8) - chosen).tolist())) > 3
    assert len(set(chosen.tolist())) > 3


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_looks_ahead(name):
    assert not parse(BASELINES[name]).lookahead


def test_score_without_js_says_so():
    produced = ProgramMaps(("p",), ("s0",), (torch.ones(1, 1),), {}, True)
    score = summarise(produced, np.ones((1, 1, 1), np.float32), [HeadId(0, 0)], Split.TRAIN)[0]
    assert np.isnan(score.js_distance)


def test_scores_are_of_the_heads_given_and_measure_js_where_asked() -> None:
    produced = program_maps([program(FIRST), program(ITSELF)], read("a b c", "a b"), False)
    rng = np.random.default_rng(0)
    maps = {name: stochastic(rng, 2, n, n, is_causal=False) for name, n in (("s0", 3), ("s1", 2))}
    heads = [HeadId(4, 1), HeadId(2, 7)]
    scores = score(produced, maps, heads, Split.TEST, with_js=True)
    ious, js = sentence_ious(produced, maps), js_distances(produced, maps)
    assert [(s.program, s.head) for s in scores] == [(p, head) for p in produced.programs for head in heads]
    assert [s.iou.value for s in scores] == ious.mean(-1).ravel().tolist()
    assert [s.js_distance for s in scores] == js.ravel().tolist()
    assert all(s.iou.low <= s.iou.value <= s.iou.high for s in scores)


def test_one_sentence_of_program_maps_keeps_its_failures() -> None:
    produced = program_maps([program(FIRST), program("1 / (k.index - 3)")], read("a b c a", "a b"), True)
    maps = {"s0": np.eye(4, dtype=np.float32)[None], "s1": np.eye(2, dtype=np.float32)[None]}
    whole = sentence_ious(produced, maps)
    for at, sentence in enumerate(produced.sentences):
        alone = produced.of_sentence(at)
        assert alone.sentences == (sentence,)
        np.testing.assert_array_equal(sentence_ious(alone, maps)[:, :, 0], whole[:, :, at])
    assert [len(produced.of_sentence(at).failures) for at in range(2)] == [1, 0]

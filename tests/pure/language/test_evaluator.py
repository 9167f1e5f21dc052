"""What programs mean: both evaluators against weights typed out by hand, and batches of sentences."""

from importlib import import_module

import numpy as np
import pytest
import torch

from core.features import FeatureBuilder, Token
from core.language import Evaluator, evaluate, parse, reference
from core.types import Failure
from tests.language_cases import (
    CASES,
    CAT,
    CAT_FEATURES,
    FAILURES,
    Case,
    build,
    cat_tokens,
    program,
    sentence,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reference_gives(case: Case) -> None:
    expected = np.array(case.last_row) / np.sum(case.last_row)
    weights = reference(program(case.body), cat_tokens(), case.causal)
    assert not isinstance(weights, Failure)
    np.testing.assert_allclose(weights[-1], expected, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tensors_give_what_reference_gives(case: Case) -> None:
    parsed = program(case.body)
    weights = evaluate(parsed, CAT_FEATURES, case.causal)[0]
    np.testing.assert_allclose(weights, reference(parsed, cat_tokens(), case.causal), atol=1e-6)


@pytest.mark.parametrize(("name", "body", "kind", "detail"), FAILURES, ids=[f[0] for f in FAILURES])
def test_failure(name: str, body: str, kind: str, detail: str) -> None:
    failure = reference(program(body), cat_tokens())
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert detail in failure.detail
    evaluated = Evaluator(CAT_FEATURES).run(program(body))
    assert evaluated.failures == {0: failure}
    assert evaluated.weights.count_nonzero() == 0


def test_every_row_of_the_previous_token_program() -> None:
    expected = [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    features = build(sentence("a b c"))
    parsed = program("k == q.prev")
    assert evaluate(parsed, features)[0].tolist() == expected
    assert reference(parsed, features.tokens(0)) == expected


def test_future_tokens_get_no_weight() -> None:
    weights = evaluate(program("1"), build(sentence("a b c")))[0]
    np.testing.assert_allclose(weights, [[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_encoder_sees_future_tokens() -> None:
    weights = evaluate(program("k.index == 2"), build(sentence("a b c")), causal=False)[0]
    assert weights.tolist() == [[0, 0, 1]] * 3


def test_sentences_are_padded_with_zeros_to_the_longest() -> None:
    weights = evaluate(program("k.is_first"), build(sentence("a"), sentence("a b c"), []))
    assert weights.tolist() == [
        [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ]


def test_no_tokens_give_no_weights() -> None:
    assert reference(program("1"), []) == []
    assert evaluate(program("1"), build([])).shape == (1, 0, 0)
    assert evaluate(program("1"), build()).shape == (0, 0, 0)


def test_one_sentence_fails_and_the_others_do_not() -> None:
    features = build(sentence("a"), sentence("a b"), sentence("a b"))
    evaluated = Evaluator(features).run(program("1 / (1 - q.index)"))
    assert list(evaluated.failures) == [1, 2]
    assert evaluated.weights[0, 0, 0] == 1
    assert evaluated.weights[1:].count_nonzero() == 0


def test_failure_at_a_future_pair_does_not_count() -> None:
    features = build(sentence("a b c"))
    assert not Evaluator(features).run(program("1 / (q.index - k.index + 1)")).failures
    assert Evaluator(features, causal=False).run(program("1 / (q.index - k.index + 1)")).failures


def test_first_failing_pair_decides_not_the_first_failing_line() -> None:
    parsed = program("if q.index == 1:\n    return log(0 * k.index)\nreturn 1 / k.index")
    assert Evaluator(CAT_FEATURES).run(parsed).failures[0].kind == "division"
    assert reference(parsed, cat_tokens()) == Failure("division", "line 4: `/` by zero")


def test_overflowing_row_sums_stay_finite() -> None:
    parsed = program("weight = 10 ** 6 * (k.index + 10)\nreturn weight ** 5 * 30")
    weights = evaluate(parsed, CAT_FEATURES)[0]
    np.testing.assert_allclose(weights, reference(parsed, cat_tokens()), atol=1e-6)


def test_tiny_weights_are_normalised_exactly() -> None:
    parsed = program("0.0001 ** 11 * 0.1 * (k.index + 1)")  # below the smallest normal 32-bit number
    weights = evaluate(parsed, CAT_FEATURES)[0]
    np.testing.assert_allclose(weights, reference(parsed, cat_tokens()), atol=1e-6)
    assert weights[4, 4] > weights[4, 0]


def test_numbers_are_32_bit_in_both_evaluators() -> None:
    parsed = program("0.1 + 0.2 == 0.3 and k.index == 1")  # in 64 bits 0.1 + 0.2 is not 0.3
    assert evaluate(parsed, CAT_FEATURES)[0, 4].tolist() == [0, 1, 0, 0, 0]
    weights = reference(parsed, cat_tokens())
    assert not isinstance(weights, Failure)
    assert weights[4] == [0, 1, 0, 0, 0]


def test_similarity_without_embeddings_is_unavailable() -> None:
    parsed = program("similarity(q, k)")
    expected = Failure("unavailable", "line 2: `similarity` needs the model's embeddings")
    assert Evaluator(build(CAT)).run(parsed).failures == {0: expected}
    assert reference(parsed, build(CAT).tokens(0)) == expected


def test_similarity_in_an_untaken_branch_is_not_a_failure_and_not_remembered() -> None:
    evaluator = Evaluator(build(CAT))
    assert not evaluator.run(program("similarity(q, k) if k.index < 0 else 1")).failures
    assert evaluator.run(program("similarity(q, k)")).failures[0].kind == "unavailable"


def test_too_long_a_sentence_is_a_budget_failure() -> None:
    features = build(sentence("a b"), sentence("a b c d"))
    evaluated = Evaluator(features, max_elements=9).run(program("1"))
    assert evaluated.failures[1].kind == "budget"
    assert evaluated.weights[0].tolist() == [[1, 0], [0.5, 0.5]]


def test_search_for_both_tokens_is_held_to_the_budget() -> None:
    both = program("last(q, pos=k.pos, lower=q.lower) == k")
    one = program("last(q, pos=k.pos) == k")
    evaluator = Evaluator(CAT_FEATURES, max_elements=100)
    assert evaluator.run(both).failures[0].kind == "budget"
    assert not evaluator.run(one).failures
    assert not evaluator.run(program("last(q, pos=k.pos, lower=q.lower) == k if q.index < 0 else 1")).failures


def test_what_programs_share_does_not_leak_between_them() -> None:
    evaluator = Evaluator(CAT_FEATURES)
    bodies = ['last(q, pos="DET") == k', 'last(q, pos="NOUN") == k', 'startswith(k.text, "d")', "q.head == k"]
    for body in bodies + bodies[::-1]:
        np.testing.assert_allclose(
            evaluator.run(program(body)).weights[0], reference(program(body), cat_tokens()), atol=1e-6
        )


def test_sentences_evaluated_in_groups_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("core.language.tensor.evaluator"), "_BATCH_ELEMENTS", 20)
    features = build(*[sentence(" ".join("abcdefg"[:n])) for n in (3, 1, 7, 2, 0, 5, 3)])
    weights = evaluate(program("k.index + 1"), features)
    for at, n in enumerate(features.lengths):
        expected = reference(program("k.index + 1"), features.tokens(at))
        np.testing.assert_allclose(weights[at, :n, :n], np.array(expected).reshape(n, n), atol=1e-6)
        assert weights[at, n:].count_nonzero() == 0


def test_weights_are_differentiable_in_constants() -> None:
    parsed = parse("def attend(q, k):\n    return 0.5 ** (q.index - k.index)\n")
    decay = torch.tensor(0.5, requires_grad=True)
    weights = Evaluator(build(sentence("a b"))).run(parsed, {(2, 12): decay}).weights
    weights[0, 1, 0].backward()  # d/dc of c / (1 + c) is 1 / (1 + c)^2
    assert decay.grad is not None
    assert float(decay.grad) == pytest.approx(1 / 1.5**2)


def test_literal_texts_of_a_program_take_part_in_text_tests() -> None:
    parsed = program('startswith("unseen" if q.is_first else k.text, "un") + k.is_first * 0')
    np.testing.assert_allclose(evaluate(parsed, CAT_FEATURES)[0], reference(parsed, cat_tokens()))


def test_a_token_row_with_whole_numbers_reads_as_numbers() -> None:
    token = Token({**CAT[0], "length": 3})
    assert reference(program("k.length / 2"), [token]) == [[1.0]]


def test_default_dtype_does_not_change_weights() -> None:
    torch.set_default_dtype(torch.float16)
    try:
        weights = evaluate(program("k.index / 3 + 0.1"), CAT_FEATURES)
    finally:
        torch.set_default_dtype(torch.float32)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights[0], reference(program("k.index / 3 + 0.1"), cat_tokens()), atol=1e-6)


def test_features_without_any_text_evaluate() -> None:
    builder = FeatureBuilder()
    builder.add("s0", [], [], [])
    assert evaluate(program('k.text == "a"'), builder.build()).shape == (1, 0, 0)

"""Heads of a hybrid switched on and off, and what giving each back repairs, against whole passes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.corpus import load_corpus
from core.errors import HybridError
from core.features import Features, annotate
from core.hybrid import ProgramPatterns, parsed
from core.hybrid.perplexity import Variant, evaluation, measure
from core.hybrid.switches import Switchboard, TokenCosts, repairs
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec
from tests import architectures
from tests.conftest import TinyLoaded

UNIFORM = "def attend(q, k):\n    return 1.0\n"
NEAR = "def attend(q, k):\n    return 0.5 ** (q.index - k.index)\n"
ALWAYS_FAILS = "def attend(q, k):\n    return 1 / (k.index - k.index)\n"
FAILS_ON_COMMA = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'
COPY = 'def attend(q, k):\n    return look("L0H1", q, k)\n'

PROGRAMS = {
    HeadId(0, 1): NEAR,
    HeadId(0, 2): FAILS_ON_COMMA,
    HeadId(1, 0): COPY,
    HeadId(1, 3): UNIFORM,
    HeadId(2, 1): COPY,
    HeadId(2, 2): UNIFORM,
}
STEPS = (  # one after another, so that each goes on from what the one before left
    set(PROGRAMS),
    set(PROGRAMS) - {HeadId(2, 2)},
    set(PROGRAMS) - {HeadId(1, 3)},
    {HeadId(1, 0), HeadId(2, 1)},
    {HeadId(1, 0), HeadId(2, 1)},
    {HeadId(0, 1), HeadId(1, 0), HeadId(2, 1)},
    {HeadId(0, 1), HeadId(2, 1)},
    set(),
)


def spec_of(loaded: LoadedModel, programs: dict[HeadId, str]) -> HybridSpec:
    return HybridSpec.of(loaded.info.id, programs.items())


def features_of(loaded: LoadedModel, count: int) -> Features:
    return annotate(load_corpus().sentences[:count], loaded.tokenizer, loaded.embeddings())


def in_whole_passes(
    loaded: LoadedModel, features: Features, programs: dict[HeadId, str], heads: set[HeadId]
) -> TokenCosts:
    source = ProgramPatterns(parsed(loaded.info, spec_of(loaded, programs)), loaded.info.is_causal, "cpu")
    losses = measure(loaded, [Variant(source, frozenset(heads))], features)
    return TokenCosts(losses.rows, losses.base, losses.changed[0], losses.kl[0])


def assert_alike(found: TokenCosts, expected: TokenCosts) -> None:
    assert found.rows.tolist() == expected.rows.tolist()
    for name in ("base", "changed", "kl"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_oss", "bert"])
def test_switching_heads_gives_what_whole_passes_give(architecture: str, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 3)
    board = Switchboard(loaded, spec_of(loaded, PROGRAMS), features)
    for heads in STEPS:
        assert_alike(board.costs(heads), in_whole_passes(loaded, features, PROGRAMS, heads))
    unmodified = board.costs(set())
    assert np.abs(unmodified.kl).max() < 1e-5
    assert unmodified.changed.tolist() == unmodified.base.tolist()
    assert not any("forward" in vars(layer) for layer in loaded.model.modules())


@pytest.mark.parametrize("kind", ["bloom", "albert"])
def test_so_it_is_without_an_interface_and_where_layers_share_a_module(kind: str) -> None:
    loaded = architectures.loaded(kind)
    if kind == "albert":  # the tokenizer of these models has no mask
        loaded = replace(loaded, model=loaded.model.albert)
    features = features_of(loaded, 2)
    board = Switchboard(loaded, spec_of(loaded, PROGRAMS), features)
    for heads in STEPS:
        assert_alike(board.costs(heads), in_whole_passes(loaded, features, PROGRAMS, heads))


def test_perplexity_is_that_of_an_evaluation(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 3)
    board = Switchboard(loaded, spec_of(loaded, PROGRAMS), features)
    source = ProgramPatterns(parsed(loaded.info, spec_of(loaded, PROGRAMS)), True, "cpu")
    expected = evaluation(measure(loaded, [Variant(source, frozenset(PROGRAMS))], features))
    assert board.heads == set(PROGRAMS)
    assert board.costs(board.heads).perplexities == pytest.approx((expected.base_ppl, expected.ppl), rel=1e-3)


def test_giving_back_the_only_replaced_head_repairs_every_token_wholly(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    head = HeadId(1, 3)
    board = Switchboard(loaded, spec_of(loaded, {head: UNIFORM}), features_of(loaded, 1))
    now, given_back = board.costs({head}), board.given_back({head})
    for token, (base, changed) in enumerate(zip(now.base.tolist(), now.changed.tolist(), strict=True)):
        (repair,) = repairs(now, given_back, token)
        assert repair.head == head
        assert repair.loss == pytest.approx(abs(changed - base), abs=1e-4)
        assert repair.kl == pytest.approx(now.kl[token], abs=1e-4)
    assert max(abs(now.changed - now.base)) > 0.01


def test_heads_are_ranked_by_what_each_repairs_and_a_program_that_failed_repairs_nothing(
    tiny_loaded: TinyLoaded,
) -> None:
    loaded = tiny_loaded("llama")
    programs = {HeadId(0, 0): NEAR, HeadId(1, 3): ALWAYS_FAILS, HeadId(2, 1): UNIFORM}
    features = features_of(loaded, 1)
    board = Switchboard(loaded, spec_of(loaded, programs), features)
    told: list[tuple[int, int]] = []
    now = board.costs(set(programs))
    given_back = board.given_back(set(programs), lambda done, total: told.append((done, total)))
    token = int(np.argmax(abs(now.changed - now.base)))
    ranked = repairs(now, given_back, token)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {one.head for one in ranked} == set(programs)
    assert all(first.loss >= second.loss for first, second in pairwise(ranked))
    for one in ranked:
        without = in_whole_passes(loaded, features, programs, set(programs) - {one.head})
        nearer = abs(now.changed - now.base)[token] - abs(without.changed - without.base)[token]
        assert one.loss == pytest.approx(nearer, abs=1e-3)
        assert one.kl == pytest.approx(now.kl[token] - without.kl[token], abs=1e-3)
    (failed,) = [one for one in ranked if one.head == HeadId(1, 3)]
    assert (failed.loss, failed.kl) == pytest.approx((0, 0), abs=1e-5)


def test_a_hybrid_of_another_model_is_refused(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    with pytest.raises(HybridError, match="is for the model other"):
        Switchboard(loaded, HybridSpec.of("other", [(HeadId(0, 0), NEAR)]), features_of(loaded, 1))

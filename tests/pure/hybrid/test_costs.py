"""What heads cost alone: measured layer by layer, estimated from gradients, and the orders that follow."""

import math

import numpy as np
import pytest
import torch

from core.corpus import load_corpus
from core.errors import HybridError
from core.features import Features, annotate
from core.hybrid import HeadMaps, ProgramPatterns
from core.hybrid.costs import measured_costs, scores
from core.hybrid.order import (
    estimated_kl,
    greedy,
    largest_within,
    measured_kl,
    ranked,
)
from core.hybrid.perplexity import Variant, evaluation, kl_beyond, measure
from core.language import parse
from core.models.pretrained import LoadedModel
from core.scoring.ranks import rank_correlation
from core.types import Estimate, HeadId
from tests import tiny
from tests.conftest import TinyLoaded

UNIFORM = parse("def attend(q, k):\n    return 1.0\n")
FAILS_ON_COMMA = parse('def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n')

ALWAYS_FAILS = parse("def attend(q, k):\n    return 1 / (k.index - k.index)\n")


def features_of(loaded: LoadedModel, count: int) -> Features:
    return annotate(load_corpus().sentences[:count], loaded.tokenizer, loaded.embeddings())


def uniform(loaded: LoadedModel) -> ProgramPatterns:
    return ProgramPatterns(dict.fromkeys(loaded.info.head_ids(), UNIFORM), True, loaded.device)


@pytest.mark.parametrize("architecture", tiny.CAUSAL)
def test_costs_measured_together_are_those_of_hybrids_with_one_head(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 3)
    source = uniform(loaded)
    found = measured_costs(loaded, source, features, [2, 0, 1])
    heads = [HeadId(0, 0), HeadId(1, 3), HeadId(2, 1)]
    losses = measure(loaded, [Variant(source, frozenset([head])) for head in heads], features)
    for at, head in enumerate(heads):
        expected = np.bincount(losses.rows, losses.kl[at])
        place = found.heads.index(head)
        np.testing.assert_allclose(found.kl[[1, 2, 0], place], expected, atol=1e-4)
        added = np.bincount(losses.rows, losses.changed[at] - losses.base)
        np.testing.assert_allclose(found.loss[[1, 2, 0], place], added, atol=2e-3)
    assert not any("forward" in vars(layer) for layer in loaded.model.modules())


def test_a_failing_program_costs_nothing_where_it_fails(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 6)
    fails = [any(t.values["text"] == "," for t in features.tokens(row)) for row in range(len(features))]
    assert any(fails)
    assert not all(fails)
    source = ProgramPatterns({HeadId(1, 0): FAILS_ON_COMMA}, True, loaded.device)
    found = measured_costs(loaded, source, features, range(6))
    assert [kl < 1e-6 for kl in found.kl[:, 0].tolist()] == fails
    drawn = scores(loaded, source, features, range(6)).drawn
    assert [bool((drawn[:, row] == 0).all()) for row in range(6)] == fails


def test_only_passages_where_a_program_ran_count_and_one_that_mostly_fails_goes_last(
    tiny_loaded: TinyLoaded,
) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 6)
    commas = np.array([any(t.values["text"] == "," for t in features.tokens(row)) for row in range(6)])
    few = [*np.flatnonzero(commas)[:1].tolist(), *np.flatnonzero(~commas)[:2].tolist()]
    assert len(few) == 3
    programs = {HeadId(1, 0): FAILS_ON_COMMA, HeadId(1, 1): ALWAYS_FAILS, HeadId(2, 0): UNIFORM}
    source = ProgramPatterns(programs, True, loaded.device)
    for found, kl_of in (
        (measured_costs(loaded, source, features, few), measured_kl),
        (scores(loaded, source, features, few), estimated_kl),
    ):
        costs = kl_of(found)
        ran = np.array([False, True, True])
        assert found.ran[:, 0].tolist() == ran.tolist()
        assert costs[HeadId(1, 0)] == pytest.approx(kl_of(found, ran)[HeadId(1, 0)])
        assert costs[HeadId(1, 0)] > 1e-4
        assert costs[HeadId(1, 1)] == math.inf
        assert kl_of(found, ~ran)[HeadId(1, 0)] == math.inf
        assert ranked(list(programs), "cost", costs, {}, 0)[-1] == HeadId(1, 1)


class Nudged:
    """A head's own attention, moved a little towards looking at all tokens alike."""

    def __init__(self, loaded: LoadedModel, step: float) -> None:
        self.loaded, self.step = loaded, step
        self.heads = loaded.info.head_ids()
        self.uniform = uniform(loaded)

    def patterns(self, features: Features) -> HeadMaps:
        found = self.uniform.patterns(features)
        return HeadMaps(found.heads, found.weights, torch.full(found.weights.shape[:2], self.step))


def test_the_estimate_is_the_kl_of_small_replacements(tiny_loaded: TinyLoaded) -> None:
    """KL of a step of size s is s^2 times the estimate for a whole replacement, head by head."""
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 4)
    step = 0.05
    estimated = estimated_kl(scores(loaded, uniform(loaded), features, range(4), draws=400))
    source = Nudged(loaded, step)
    heads = loaded.info.head_ids()
    losses = measure(loaded, [Variant(source, frozenset([head])) for head in heads], features)
    exact = {head: float(losses.kl[at].mean()) / step**2 for at, head in enumerate(heads)}
    for head in heads:
        assert estimated[head] == pytest.approx(exact[head], rel=0.35)
    assert rank_correlation(estimated, exact) > 0.95


def test_where_heads_are_replaced_already_the_slope_of_kl_counts(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 2)
    taken = frozenset([HeadId(0, 0), HeadId(1, 1)])
    assert not scores(loaded, uniform(loaded), features, [0, 1]).slope.any()
    slope = scores(loaded, uniform(loaded), features, [0, 1], taken).slope.sum(0)
    small = 1e-2
    heads = loaded.info.head_ids()
    head = HeadId(2, 2)

    class Mixed(Nudged):
        def patterns(self, features: Features) -> HeadMaps:
            found = self.uniform.patterns(features)
            mix = torch.zeros(found.weights.shape[:2])
            mix[:, [heads.index(one) for one in taken]] = 1
            mix[:, heads.index(head)] = self.step
            return HeadMaps(found.heads, found.weights, mix)

    losses = [
        measure(loaded, [Variant(Mixed(loaded, step), frozenset(heads))], features).kl.sum(dtype=float)
        for step in (-small, small)
    ]
    assert slope[heads.index(head)] == pytest.approx(
        (losses[1] - losses[0]) / (2 * small), rel=0.05, abs=1e-3
    )


HEADS = [HeadId(0, head) for head in range(4)]


def test_orders_put_the_cheapest_the_best_fitting_or_a_seeded_draw_first() -> None:
    costs = dict(zip(HEADS, [0.3, 0.1, 0.4, 0.2], strict=True))
    fits = dict(zip(HEADS, [0.1, 0.9, 0.5, 0.7], strict=True))
    assert [head.head for head in ranked(HEADS, "cost", costs, fits, 0)] == [1, 3, 0, 2]
    assert [head.head for head in ranked(HEADS, "iou", {}, fits, 0)] == [1, 3, 2, 0]
    drawn = {tuple(ranked(HEADS, "random", {}, {}, seed)) for seed in range(20)}
    assert len(drawn) > 1
    assert tuple(ranked(HEADS, "random", {}, {}, 3)) in drawn


def test_heads_without_a_cost_are_named() -> None:
    with pytest.raises(HybridError, match="3 heads have no cost yet, L0H1"):
        ranked(HEADS, "cost", {HEADS[0]: 0.1}, {}, 0)


def test_the_budget_takes_the_largest_number_of_heads_within() -> None:
    increases = {count: 0.01 * count for count in range(11)}
    count, measured = largest_within(0.055, 10, increases.__getitem__)
    assert count == 5
    assert measured[5] <= 0.055 < measured[6]
    assert largest_within(0.001, 10, increases.__getitem__)[0] == 0
    assert largest_within(1.0, 10, increases.__getitem__)[0] == 10


def test_greedy_estimates_again_after_every_block(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 2)
    asked: list[frozenset[HeadId]] = []

    def scores_after(taken: frozenset[HeadId]):  # type: ignore[no-untyped-def]
        asked.append(taken)
        return scores(loaded, uniform(loaded), features, [0, 1], taken)

    found = greedy(loaded.info.head_ids(), 7, scores_after, blocks=4)
    assert len(set(found)) == 7
    assert [len(taken) for taken in asked] == [0, 3, 6]


def test_costs_of_one_half_of_the_passages_are_those_of_that_half(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 4)
    half = np.array([True, False, True, False])
    every = measured_costs(loaded, uniform(loaded), features, range(4))
    some = measured_costs(loaded, uniform(loaded), features, [0, 2])
    for head, kl in measured_kl(some).items():
        assert measured_kl(every, half)[head] == pytest.approx(kl, abs=1e-6)


def test_rank_correlation_of_opposite_orders_is_minus_one() -> None:
    up = {head: float(head.head) for head in HEADS}
    down = {head: -value for head, value in up.items()}
    assert rank_correlation(up, down) == pytest.approx(-1)
    assert math.isnan(rank_correlation({}, up))


def test_equal_values_share_their_mean_rank() -> None:
    heads = [HeadId(0, head) for head in range(5)]
    one = dict(zip(heads, [1.0, 2.0, 2.0, 3.0, 4.0], strict=True))  # ranks 1, 2.5, 2.5, 4, 5
    other = dict(zip(heads, [10.0, 30.0, 20.0, 20.0, 40.0], strict=True))  # ranks 1, 4, 2.5, 2.5, 5
    # Deviations from 3: (-2, -.5, -.5, 1, 2) and (-2, 1, -.5, -.5, 2); products 7.25, squares 9.5 and 9.5.
    assert rank_correlation(one, other) == pytest.approx(7.25 / 9.5)


def test_infinite_costs_are_ties_whatever_order_their_heads_are_in() -> None:
    heads = [HeadId(0, head) for head in range(4)]
    one = dict(zip(heads, [0.1, 0.2, math.inf, math.inf], strict=True))  # ranks 1, 2, 3.5, 3.5
    other = dict(zip(heads, [0.1, 0.2, math.inf, 0.3], strict=True))  # ranks 1, 2, 4, 3
    assert rank_correlation(one, one) == pytest.approx(1)
    assert rank_correlation(one, other) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    swapped = other | {heads[2]: 0.3, heads[3]: math.inf}
    assert rank_correlation(one, swapped) == pytest.approx(rank_correlation(one, other))


def test_values_that_are_all_equal_have_no_rank_correlation() -> None:
    level = dict.fromkeys(HEADS, math.inf)
    assert math.isnan(rank_correlation(level, {head: float(head.head) for head in HEADS}))


def test_the_evaluation_of_a_genre_is_of_its_tokens_alone(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 4)
    source = uniform(loaded)
    losses = measure(loaded, [Variant(source, frozenset(source.heads))], features)
    alone = measure(loaded, [Variant(source, frozenset(source.heads))], features.select([1]))
    found = evaluation(losses, tokens=losses.rows == 1)
    assert found.passages == 1
    assert found.increase.value == pytest.approx(evaluation(alone).increase.value, rel=1e-3)


def test_a_difference_of_kl_has_an_interval_over_passages(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 6)
    source, heads = uniform(loaded), loaded.info.head_ids()
    variants = [Variant(source, frozenset(heads[:count])) for count in (1, len(heads), 1)]
    losses = measure(loaded, variants, features)
    more, less = kl_beyond(losses, 1, 0), kl_beyond(losses, 0, 1)
    assert more.value == pytest.approx(evaluation(losses, 1).kl.value - evaluation(losses, 0).kl.value)
    assert 0 < more.low < more.value < more.high
    assert (less.low, less.high) == pytest.approx((-more.high, -more.low))
    assert kl_beyond(losses, 2, 0) == Estimate(0, 0, 0)


def test_heads_kept_are_counted_for_the_passages_of_a_genre_alone(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 6)
    fails = [any(t.values["text"] == "," for t in features.tokens(row)) for row in range(len(features))]
    heads = loaded.info.head_ids()[:2]
    source = ProgramPatterns(dict.fromkeys(heads, FAILS_ON_COMMA), True, loaded.device)
    losses = measure(loaded, [Variant(source, frozenset(heads))], features)
    assert evaluation(losses).kept == 2 * sum(fails) > 0
    for row, failed in enumerate(fails):
        assert evaluation(losses, tokens=losses.rows == row).kept == 2 * failed

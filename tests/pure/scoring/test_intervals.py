"""Intervals contain what they are of, narrow with more values, and come from the same draws every time."""

import numpy as np
import pytest

from core.scoring.intervals import (
    mean_estimate,
    mean_interval,
    normal_share,
    share_estimate,
    token_interval,
)
from core.types import Estimate


def test_interval_contains_the_mean():
    values = np.random.default_rng(0).random((2, 3, 40)).astype(np.float32)
    low, high = mean_interval(values)
    assert low.shape == high.shape == (2, 3)
    assert ((low < values.mean(-1)) & (values.mean(-1) < high)).all()


def test_interval_is_the_same_every_time():
    values = np.random.default_rng(0).random((1, 20))
    np.testing.assert_array_equal(mean_interval(values), mean_interval(values.copy()))


def test_interval_of_equal_values_has_no_width():
    low, high = mean_interval(np.full((1, 10), 0.25, np.float32))
    assert (low.item(), high.item()) == (pytest.approx(0.25), pytest.approx(0.25))


def test_interval_narrows_with_more_sentences():
    values = np.random.default_rng(0).random(1000)
    widths = [np.subtract(*mean_interval(values[:n])[::-1]) for n in (10, 100, 1000)]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(2 * 1.96 * values.std() / np.sqrt(1000), rel=0.1)


def test_a_mean_is_resampled_over_its_values() -> None:
    values = np.array([0.1, 0.4, 0.8, 0.2], np.float32)
    counts = np.random.default_rng(0).multinomial(4, [0.25] * 4, size=1000)
    low, high = np.percentile(values @ (counts.astype(np.float32) / 4).T, [2.5, 97.5])
    assert mean_estimate(values) == Estimate(float(values.mean()), float(low), float(high))


def test_a_mean_over_tokens_is_resampled_over_passages() -> None:
    values, passages = np.array([1.0, 3.0, 5.0, 0.5]), np.array([7, 7, 2, 9])  # 1 and 3 are drawn together
    counts = np.random.default_rng(0).multinomial(3, [1 / 3] * 3, size=1000)
    means = counts @ [5.0, 4.0, 0.5] / (counts @ [1, 2, 1])
    np.testing.assert_allclose(token_interval(values, passages), np.percentile(means, [2.5, 97.5]))


def test_a_share_is_resampled_as_the_number_of_its_hits() -> None:
    hits = np.array([True, True, False, True])
    drawn = np.random.default_rng(0).binomial(4, 0.75, 1000) / 4
    assert share_estimate(hits) == Estimate(0.75, *np.percentile(drawn, [2.5, 97.5]).tolist())


def test_a_share_of_a_known_number_has_the_normal_interval_within_0_and_1() -> None:
    found = normal_share(0.5, 100)
    assert (found.low, found.high) == (pytest.approx(0.402), pytest.approx(0.598))
    assert normal_share(0.99, 4).high == 1
    assert normal_share(0.01, 4).low == 0

"""Attention maps as bytes: small enough, near enough, and read as they were meant."""

import json
import zlib

import numpy as np
import pytest

from core.display.canvas import payload


def random_maps(n: int, is_causal: bool) -> np.ndarray:
    weights = np.random.default_rng(0).dirichlet(np.full(n, 0.1), size=(2, n)).astype(np.float32)
    weights = np.tril(weights) if is_causal else weights
    return weights / weights.sum(-1, keepdims=True)


def unpacked(packed: bytes) -> tuple[dict[str, object], np.ndarray]:
    """What maps.js reads: the header and the cells of each map, as weights."""
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    fixed = np.frombuffer(packed[4 + length :], f"<u{header['depth']}")
    weights = (fixed / (256 ** header["depth"] - 1)) ** 2
    return header, weights.reshape(header["count"], -1)


@pytest.mark.parametrize("is_causal", [True, False])
def test_a_map_of_256_tokens_takes_less_than_100_kilobytes_over_the_wire(is_causal: bool) -> None:
    tokens = ["unbelievably"] * 256
    packed = payload({"tokens": tokens}, random_maps(256, is_causal), is_causal)
    assert len(zlib.compress(packed)) < 100_000  # the connection is compressed


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize(("n", "depth", "error"), [(1, 2, 1e-4), (60, 2, 1e-4), (300, 1, 4e-3)])
def test_weights_arrive_as_they_were(n: int, depth: int, error: float, is_causal: bool) -> None:
    maps = random_maps(n, is_causal)
    header, weights = unpacked(payload({"title": "L0H0"}, maps, is_causal))
    assert header == {"title": "L0H0", "n": n, "count": 2, "causal": is_causal, "depth": depth}
    cells = [one[np.tril_indices(n)] if is_causal else one.ravel() for one in maps]
    np.testing.assert_allclose(weights, cells, atol=error)


def test_small_weights_keep_their_digits_in_8_bits() -> None:
    maps = np.zeros((2, 300, 300), np.float32)
    maps[:, 1, 0] = 0.001
    _, weights = unpacked(payload({}, maps, True))
    assert weights[0, 1] == pytest.approx(0.001, rel=0.1)


@pytest.mark.parametrize(("n", "depth", "error"), [(3, 2, 1e-3), (300, 1, 0.05)])
def test_signed_numbers_arrive_with_their_sign_and_size(n: int, depth: int, error: float) -> None:
    maps = np.tril(np.random.default_rng(0).normal(0, 1, (2, n, n)))
    maps[0, 1, 0] = -7.5
    packed = payload({}, maps, True, is_signed=True)
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    assert (header["depth"], header["most"]) == (depth, 7.5)
    parts = np.frombuffer(packed[4 + length :], f"<i{depth}") / (256**depth // 2 - 1)
    cells = np.sign(parts) * parts**2 * 7.5
    np.testing.assert_allclose(cells.reshape(2, -1), [one[np.tril_indices(n)] for one in maps], atol=error)

"""Whatever a guest sends is a reply within its bounds or refused, and harms nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sandbox import Limits, Sandbox
from core.sandbox.matrices import as_attention
from core.sandbox.protocol import HEADER, KINDS, Forged, announced, content_of
from core.types import Failure
from tests.sandboxed import PASSAGE, needs_locks, ran, sandbox

_NUMBER, _TOKENS = 3, 4
_FIELDS = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, _NUMBER, _TOKENS, 8 * _TOKENS**2])


@given(
    st.binary(min_size=HEADER.size, max_size=HEADER.size)
    | st.builds(HEADER.pack, _FIELDS, st.integers(0, 255), _FIELDS, _FIELDS, _FIELDS),
    st.binary(max_size=4096),
)
def test_any_bytes_are_a_bounded_reply_or_forged(header: bytes, content: bytes) -> None:
    try:
        reply = announced(header, _NUMBER, _TOKENS)
        assert reply.size <= max(2048, 8 * _TOKENS**2)
        found = content_of(reply, content.ljust(reply.size, b"\0")[: reply.size])
    except Forged:
        return
    if isinstance(found, Failure):
        assert found.kind in KINDS
        assert found.detail.isprintable()
        return
    weights = as_attention(found, causal=True)
    if isinstance(weights, Failure):
        assert weights.kind == "non-finite"
    else:
        assert weights.shape == (_TOKENS, _TOKENS)
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
        assert weights.min() >= 0
        assert np.triu(weights, 1).max() == 0


@given(st.lists(st.floats(-1e308, 1e308), min_size=9, max_size=9))
def test_any_finite_matrix_becomes_rows_that_sum_to_one(numbers: list[float]) -> None:
    weights = as_attention(np.array(numbers).reshape(3, 3), causal=False)
    assert isinstance(weights, np.ndarray)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_rows_are_clipped_masked_and_normalised_as_the_language_does() -> None:
    given_matrix = np.array([[-1.0, 5, 5], [3, 1, 9], [0, -2, 0]])
    causal, whole = as_attention(given_matrix, True), as_attention(given_matrix, False)
    assert isinstance(causal, np.ndarray)
    assert isinstance(whole, np.ndarray)
    assert causal.tolist() == [[1, 0, 0], [0.75, 0.25, 0], [1, 0, 0]]
    assert np.allclose(whole, [[0, 0.5, 0.5], [3 / 13, 1 / 13, 9 / 13], [1, 0, 0]])


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    made = sandbox(Limits(seconds=0.3, timeouts=1))
    yield made
    made.close()


@needs_locks
@pytest.mark.parametrize("seed", range(12))
def test_random_bytes_in_the_place_of_a_reply_end_one_program_alone(box: Sandbox, seed: int) -> None:
    forged = np.random.default_rng(seed).bytes(40 + 30 * seed)
    (ended,) = ran(box, f"import os\nos.write(1, {forged!r})\nos._exit(0)")
    assert isinstance(ended, Failure)
    assert ended.kind in ("protocol", "crash")
    (after,) = ran(box, f"seed = {seed}")
    assert isinstance(after, np.ndarray)
    assert after.tolist() == [[1, 0, 0, 0]] * 4


@needs_locks
def test_a_reply_that_never_ends_is_overdue(box: Sandbox) -> None:
    (ended,) = ran(
        box, "import os, struct\nos.write(1, struct.pack('<IBIII', 0, 0, 4, 4, 128))\nwhile True: pass"
    )
    assert ended == Failure("timeout", "0.3 s")
    assert PASSAGE.text


@needs_locks
def test_a_sandbox_whose_process_was_killed_begins_anew() -> None:
    made = sandbox()
    made._zygote._process.kill()
    made._zygote._process.wait()
    (after,) = ran(made, "killed = 1")
    assert isinstance(after, np.ndarray)
    made.close()

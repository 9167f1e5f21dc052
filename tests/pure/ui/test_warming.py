"""The model is loaded ahead of time: once, when it is quiet and nothing else runs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

import pytest

from core.errors import ModelError, WorkspaceError
from core.types import ModelInfo
from core.ui.parts.warming import Warming, may_warm

MODEL = ModelInfo("m-1", "m", "llama", 2, 2, True, 10, 64)
QUIET = 0.2


@contextmanager
def warmed(may: bool = True, error: Exception | None = None) -> Iterator[tuple[Warming, Queue]]:
    told: Queue = Queue()

    def warm(model: ModelInfo) -> None:
        told.put((model, time.monotonic()))
        if error is not None:
            raise error

    found = Warming(warm, lambda model: may, QUIET)
    try:
        yield found, told
    finally:
        found.stop()
        found.thread.join(5)
        assert not found.thread.is_alive()


def test_the_model_of_the_last_page_is_warmed_once_after_a_pause() -> None:
    with warmed() as (found, told):
        found.note(None)
        drawn = time.monotonic()
        found.note(MODEL)
        model, moment = told.get(timeout=5)
        assert model is MODEL
        assert moment - drawn >= QUIET
        found.thread.join(5)
        assert told.empty()


def test_nothing_is_warmed_while_a_job_runs() -> None:
    with warmed(may=False) as (found, told):
        found.note(MODEL)
        with pytest.raises(Empty):
            told.get(timeout=4 * QUIET)


def test_a_model_that_cannot_be_had_ends_the_attempt_in_silence() -> None:
    with warmed(error=ModelError("gone")) as (found, told):
        found.note(MODEL)
        told.get(timeout=5)


def test_a_workspace_that_was_let_go_of_ends_the_attempt_in_silence() -> None:
    def may(model: ModelInfo) -> bool:
        raise WorkspaceError("let go of")

    found = Warming(lambda model: None, may, QUIET)
    found.note(MODEL)
    found.thread.join(60)
    assert not found.thread.is_alive()


def test_what_the_first_distances_wait_for_can_be_prepared() -> None:
    code = (
        "import sys; from core.maps import prepare_distances; assert 'numba' not in sys.modules; "
        "prepare_distances(); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_larger_than_the_memory_is_not_warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.ui.parts.state.running_job", lambda: None)
    assert may_warm(MODEL)
    assert not may_warm(ModelInfo("m-2", "m", "llama", 2, 2, True, 10**12, 64))

"""What one evaluation of a program may cost, counted while it runs: whole [query, key] tensors, and time."""

from __future__ import annotations

import time

from core.language import failures
from core.types import Failure

MAX_WORK = 2**30  # elements that a whole evaluation may touch for one sentence: 2 to 5 s
MAX_SECONDS = 10.0  # of computing, for a batch of sentences
_LOOP = 4  # an element of a loop over candidates takes as long as so many of an operation

Work = tuple[int, int]  # operations over all pairs, and loops over all pairs and candidates


class OverBudget(Exception):
    """Ends the evaluation of a batch, whose every sentence failed in this way."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Meter:
    """Counts the work on a batch; what it comes to depends on a sentence's own length alone."""

    def __init__(self, shortest: int, max_work: int) -> None:
        self._shortest, self._max_work = shortest, max_work
        self._until = time.thread_time() + MAX_SECONDS
        self.pairs, self.loops = 0, 0

    @property
    def work(self) -> Work:
        """What was spent so far."""
        return self.pairs, self.loops

    def spend(self, pairs: int = 1, loops: int = 0) -> None:
        """Count operations; raises OverBudget once no sentence of the batch stays within."""
        self.pairs += pairs
        self.loops += loops
        failure = self.over(self._shortest)
        if failure is None and time.thread_time() > self._until:
            failure = failures.timeout(MAX_SECONDS)
        if failure is not None:
            raise OverBudget(failure)

    def over(self, length: int) -> Failure | None:
        """The Failure of a sentence of so many tokens for which the work was too much."""
        touched = self.pairs * length**2 + _LOOP * self.loops * length**3
        return failures.too_much(self._max_work) if touched > self._max_work else None

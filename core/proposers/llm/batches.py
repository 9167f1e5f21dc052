"""A job's Message Batches: each is submitted once and read once, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from core.errors import ProposerError
from core.proposers.llm.conversation import Answer
from core.proposers.llm.ledger import CallLog, Submission
from core.proposers.llm.provider import BatchProvider, Fault, Request
from core.settings import Patience
from core.types import Failure

_FAILED_POLLS = 10  # in a row, before the job stops; each was retried by the SDK

GONE = "gone"  # the kind of Failure of a call whose answer the service no longer holds; it may be billed

T = TypeVar("T")


class Ended(SystemExit):
    """The job was told to end while a batch was under way; says what became of that."""

    def __init__(self, note: str) -> None:
        super().__init__(1)
        self.note = note


class Batches:
    """Requests of one job, answered many at a time."""

    def __init__(self, provider: BatchProvider, log: CallLog, patience: Patience) -> None:
        self._provider, self._log, self._patience = provider, log, patience

    def settle_open(self) -> None:
        """Read what an earlier worker of the job left under way."""
        with self._cancelled_at_the_end():
            for submission in self._log.open_submissions():
                found = submission if submission.batch else self._adopted(submission)
                if found is not None:
                    self._collect(found)

    def answer(self, requests: Sequence[Request], most: Callable[[str], float]) -> dict[str, Answer]:
        """Request name -> its answer; `most` is what a call can cost. May take a day.

        Raises ProposerError if the service takes no batch or shows none; the job can go on later.
        """
        with self._cancelled_at_the_end():
            return self._collect(self._submitted(requests, most))

    @contextmanager
    def _cancelled_at_the_end(self) -> Iterator[None]:
        """Where the job is told to end, cancel its batch, perhaps at the moment when it was taken."""
        try:
            yield
        except SystemExit:
            raise Ended(self._cancel_open()) from None

    def _cancel_open(self) -> str:
        """What became of the batches under way."""
        left = self._log.open_submissions()
        cancelled = 0
        for submission in left:
            with suppress(Fault, ProposerError):
                if submission.batch:
                    self._provider.cancel(submission.batch)
                    cancelled += 1
        if not left:
            return ""
        if cancelled < len(left):
            return "a batch could not be cancelled; it may go on and is billed, and read on resuming"
        return "the batch under way is cancelled; what it had answered is billed, and read on resuming"

    def _submitted(self, requests: Sequence[Request], most: Callable[[str], float]) -> Submission:
        for pause in (*self._patience.after_submission, None):
            submission = self._log.submitting([request.name for request in requests])
            for request in requests:  # after it, so that a worker that dies here has nothing to pay for
                self._log.asking(request.name, most(request.name))
            try:
                return self._log.submitted(submission, self._provider.submit(submission.token, requests))
            except ProposerError:
                self._never_taken(submission)
                raise
            except Fault as fault:
                failure = fault
            if pause:
                time.sleep(pause)
            if failure.lost:
                found = self._adopted(submission)
                if found is not None:
                    return found
            else:
                self._never_taken(submission)
        raise ProposerError(f"the service takes no batch ({failure}); what is paid for is kept, go on later")

    def _adopted(self, submission: Submission) -> Submission | None:
        """A batch whose id never arrived; None if the service did not take it."""
        token, calls = submission.token, len(submission.calls)
        batch = self._wait_for(lambda: self._provider.find(token, calls), "the service's list of batches")
        if batch:
            return self._log.submitted(submission, batch)
        self._never_taken(submission)
        return None

    def _never_taken(self, submission: Submission) -> None:
        self._unpaid(submission.calls)
        self._log.settled(submission)

    def _collect(self, submission: Submission) -> dict[str, Answer]:
        """Wait for a batch and keep its replies; a call that it does not answer is a Failure."""
        batch = submission.batch or ""
        found = self._wait_for(lambda: self._provider.results(batch), f"the batch {batch}")
        for call, answer in found.items():
            if isinstance(answer, str):
                self._log.keep(call, answer)
        self._unpaid([call for call, answer in found.items() if isinstance(answer, Failure)])
        self._log.settled(submission)
        gone = Failure(GONE, f"the batch {batch} holds no answer to this call, which may be billed")
        return {call: found.get(call, gone) for call in submission.calls}

    def _unpaid(self, calls: Sequence[str]) -> None:
        outstanding = self._log.outstanding()
        for call in calls:
            if outstanding.get(call):
                self._log.unpaid(call, outstanding[call])

    def _wait_for(self, look: Callable[[], T | None], what: str) -> T:
        """What `look` finds, looking again and again, less and less often."""
        pause, failed = self._patience.first_poll, 0
        while True:
            try:
                outcome = look()
                failed = 0
            except Fault as fault:
                outcome, failed = None, failed + 1
                if failed == _FAILED_POLLS:
                    raise ProposerError(f"{what} cannot be read ({fault}); go on later") from None
            if outcome is not None:
                return outcome
            time.sleep(pause)
            pause = min(2 * pause, self._patience.longest_poll)

"""Requests in, answers out: from the job's folder if they were paid for before, else within the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from core.errors import ClaudeError
from core.jobs.ledger import CallLog, usage_of
from core.synthesis.claude import Claude, Fault, Request
from core.synthesis.money import Budget, most_a_call_costs, price_of
from core.synthesis.refine import Answer
from core.types import ClaudeLimits, Failure

_FIRST_POLL, _LONGEST_POLL = 1.0, 60.0  # seconds between looks at a batch
_PAUSES = (0.5, 2.0)  # seconds before a call whose reply got lost is made again
_FAILED_POLLS = 10  # in a row, before the job stops; each was retried by the SDK

BUDGET = "budget"  # the kind of Failure that stands for a call that was not made


class Asker:
    """Answers requests; for many threads. `tell` hears of every payment."""

    def __init__(
        self, claude: Claude, limits: ClaudeLimits, log: CallLog, tell: Callable[[Budget], None]
    ) -> None:
        self._claude, self._limits, self._log, self._tell = claude, limits, log, tell
        self._price = price_of(limits)
        for batch, calls in log.batches().items():
            if any(log.reply(call) is None for call in calls):
                self._collect(batch, calls)
        self.budget = Budget(limits.budget, self._price, log.usage(), log.lost())
        self._closed: Failure | None = None

    def close(self, why: Failure) -> None:
        """Make no further call; what is paid for is still answered."""
        self._closed = why

    def answer(self, request: Request) -> Answer:
        """The reply to one request; raises ClaudeError if no call can succeed."""
        kept = self._log.reply(request.name)
        if kept is not None:
            return kept
        for pause in _PAUSES:
            answer, is_lost = self._ask(request)
            if not is_lost:
                return answer
            time.sleep(pause)
        return self._ask(request)[0]

    def _ask(self, request: Request) -> tuple[Answer, bool]:
        """The answer to a call, and whether it got lost on the way; then asking again may pay again."""
        most = self._reserve(request, wait=True)
        if isinstance(most, Failure):
            return most, False
        self._log.asking(request.name, most)
        try:
            text = self._claude.ask(request)
            self._log.keep(request.name, text)
        except Fault as fault:
            self._not_answered({request.name: most}, fault.lost)
            return fault.failure, fault.lost
        except BaseException as error:  # others wait for what is set aside here
            self._not_answered({request.name: most}, lost=not isinstance(error, ClaudeError))
            raise
        self.budget.settle(most, usage_of(text))
        self._tell(self.budget)
        return text, False

    def answer_all(self, requests: Sequence[Request]) -> dict[str, Answer]:
        """Request name -> its answer, all that are new in one Message Batch; may take a day."""
        answers: dict[str, Answer] = {}
        new: dict[str, tuple[Request, float]] = {}
        for request in requests:
            kept = self._log.reply(request.name)
            most = self._reserve(request, wait=False) if kept is None else 0.0
            if kept is not None:
                answers[request.name] = kept
            elif isinstance(most, Failure):
                answers[request.name] = most
            else:
                new[request.name] = (request, most)
        if new:
            answers |= self._through_batch([request for request, _ in new.values()], _mosts(new))
        return answers

    def _through_batch(self, requests: Sequence[Request], mosts: Mapping[str, float]) -> dict[str, Answer]:
        for name, most in mosts.items():
            self._log.asking(name, most)
        try:
            batch = self._claude.submit(requests)
        except Fault as fault:
            self._not_answered(mosts, fault.lost)
            return dict.fromkeys(mosts, fault.failure)
        except ClaudeError:
            self._not_answered(mosts, lost=False)
            raise
        self._log.submitted(batch, list(mosts))
        answers = self._collect(batch, list(mosts))
        for name, answer in answers.items():
            if isinstance(answer, Failure):
                self._not_answered({name: mosts[name]}, lost=False)
            else:
                self.budget.settle(mosts[name], usage_of(answer))
        self._tell(self.budget)
        return answers

    def _collect(self, batch: str, calls: Sequence[str]) -> dict[str, Answer]:
        """Wait for a batch and keep its replies; a call that it does not answer is a Failure."""
        pause, failed = _FIRST_POLL, 0
        while True:
            try:
                found = self._claude.collect(batch) if self._claude.has_ended(batch) else None
                failed = 0
            except Fault as fault:
                found, failed = None, failed + 1
                if failed == _FAILED_POLLS:
                    raise ClaudeError(f"the batch {batch} cannot be read ({fault}); resume later") from None
            if found is not None:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)
        missing = Failure("unreadable", f"the batch {batch} holds no answer to this call")
        answers: dict[str, Answer] = {call: found.get(call, missing) for call in calls}
        for call, answer in answers.items():
            if isinstance(answer, str):
                self._log.keep(call, answer)
        return answers

    def _reserve(self, request: Request, wait: bool) -> float | Failure:
        """USD set aside for a call, or why it is not made."""
        if self._closed is not None:
            return self._closed
        try:
            most = most_a_call_costs(self._claude.count(request), self._price)
        except Fault as fault:
            return fault.failure
        if self.budget.reserve(most, wait):
            return most
        left = self._limits.budget - self.budget.spent - self.budget.lost
        why = Failure(BUDGET, f"a call could cost ${most:.4f} and ${left:.4f} of the budget is left")
        self.close(why)
        return why

    def _not_answered(self, mosts: Mapping[str, float], lost: bool) -> None:
        for name, most in mosts.items():
            self.budget.settle(most, None, lost)
            if not lost:
                self._log.unpaid(name, most)
        if lost:
            self._tell(self.budget)


def _mosts(new: Mapping[str, tuple[Request, float]]) -> dict[str, float]:
    return {name: most for name, (_, most) in new.items()}

"""Requests in, answers out: from the job's folder if they were paid for before, else within the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

from core.errors import ProposerError
from core.proposers.llm.batches import GONE, Batches
from core.proposers.llm.budget import Budget, Terms, most_a_call_costs
from core.proposers.llm.conversation import Answer
from core.proposers.llm.ledger import CallLog, usage_of
from core.proposers.llm.provider import BatchProvider, Fault, Provider, Request
from core.settings import Patience
from core.types import Failure

BUDGET = "budget"  # the kind of Failure that stands for a call that was not made


class Asker:
    """Answers requests; for many threads. `tell` hears of every payment."""

    def __init__(
        self,
        provider: Provider,
        terms: Terms,
        log: CallLog,
        tell: Callable[[Budget], None],
        patience: Patience | None = None,
    ) -> None:
        self._provider, self._terms, self._log, self._tell = provider, terms, log, tell
        self._patience = patience or Patience()
        if log.open_submissions():
            self._batches().settle_open()
        lost = sum(log.outstanding().values())
        self.budget = Budget(terms.most, terms.price, log.usage(), lost, terms.calls, log.outstanding_calls())
        self._closed: Failure | None = None

    def close(self, why: Failure) -> None:
        """Make no further call; what is paid for is still answered."""
        self._closed = why

    def answer(self, request: Request) -> Answer:
        """The reply to one request; raises ProposerError if no call can succeed."""
        kept = self._log.reply(request.name)
        if kept is not None:
            return kept
        for pause in self._patience.after_loss:
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
        try:
            self._log.keep_request(request)
            self._log.asking(request.name, most)
            text = self._provider.ask(request)
            self._log.keep(request.name, text)
        except Fault as fault:
            self._not_answered(request, most, fault.lost)
            return fault.failure, fault.lost
        except BaseException as error:  # others wait for what is set aside here
            self._not_answered(request, most, lost=not isinstance(error, ProposerError))
            raise
        self._settle(most, text)
        self._tell(self.budget)
        return text, False

    def answer_all(self, requests: Sequence[Request]) -> dict[str, Answer]:
        """Request name -> its answer, those that are new in Message Batches; may take days.

        One batch if the budget holds for all of them, else as many calls as it holds for, and further ones
        when it is known what those did cost.
        """
        kept = {request.name: self._log.reply(request.name) for request in requests}
        answers: dict[str, Answer] = {name: reply for name, reply in kept.items() if reply is not None}
        left = [request for request in requests if request.name not in answers]
        while left:
            mosts: dict[str, float] = {}
            why = None
            while why is None and len(mosts) < len(left):
                request = left[len(mosts)]
                most = self._reserve(request, wait=False)
                if isinstance(most, Failure):
                    why = most
                else:
                    mosts[request.name] = most
            if why is not None and not mosts:
                return answers | {request.name: why for request in left}
            answers |= self._in_a_batch(left[: len(mosts)], mosts)
            left = left[len(mosts) :]
        return answers

    def _in_a_batch(self, requests: Sequence[Request], mosts: dict[str, float]) -> dict[str, Answer]:
        for request in requests:
            self._log.keep_request(request)
        answers = self._batches().answer(requests, mosts.__getitem__)
        for name, answer in answers.items():
            if isinstance(answer, Failure):
                self.budget.settle(mosts[name], None, lost=answer.kind == GONE)
            else:
                self._settle(mosts[name], answer)
        self._tell(self.budget)
        return answers

    def _reserve(self, request: Request, wait: bool) -> float | Failure:
        """USD set aside for a call, or why it is not made."""
        if self._closed is not None:
            return self._closed
        try:
            most = most_a_call_costs(self._provider.count(request), self._terms.price)
        except Fault as fault:
            return fault.failure
        if self.budget.reserve(most, wait):
            return most
        why = Failure(BUDGET, self._no_room(most))
        if wait:  # nothing is under way that could turn out cheaper than it might have been
            self.close(why)
        return why

    def _no_room(self, most: float) -> str:
        if not self.budget.has_calls:
            return f"all {self._terms.calls} calls are made"
        left = self._terms.words(self._terms.most - self.budget.spent - self.budget.lost)
        return f"a call could cost {self._terms.words(most)} and {left} of the budget is left"

    def _batches(self) -> Batches:
        return Batches(cast(BatchProvider, self._provider), self._log, self._patience)

    def _settle(self, most: float, reply: str) -> None:
        usage = usage_of(reply)
        self.budget.settle(most, usage, lost=usage is None)

    def _not_answered(self, request: Request, most: float, lost: bool) -> None:
        self.budget.settle(most, None, lost)
        if lost:
            self._tell(self.budget)
        else:
            self._log.unpaid(request.name, most)

"""Asking Claude: what a request says, what its reply says, and the ways both can fail.

A reply is kept as the text that arrived; `replies.py` reads it. Faults of the service are retried by the SDK
(it honours `retry-after` and backs off otherwise) and are Failures after that. Only what would fail for every
head alike, such as a refused key, is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, CallNext
from anthropic.types import MessageTokensCount
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse

from core.errors import ClaudeError
from core.synthesis import guide
from core.synthesis.money import MAX_OUTPUT
from core.types import ClaudeLimits, Failure

TIMEOUT = 300.0  # seconds a call may take; MAX_OUTPUT tokens take about half of that
RETRIES = 4
_EFFORT: Literal["medium"] = "medium"
_PAID = ("/v1/messages", "/v1/messages/batches")
_LONGEST_REASON = 300  # characters of what the service said that are kept

_FATAL = (
    anthropic.AuthenticationError,
    anthropic.PermissionDeniedError,
    anthropic.PaymentRequiredError,
    anthropic.NotFoundError,
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One call; equal names mean the same call, whenever a run is resumed."""

    name: str  # of letters, digits and hyphens
    messages: Sequence[Json]


class Fault(Exception):
    """A call that brought no reply. `lost`: one may have been made, and paid for, but never arrived."""

    def __init__(self, failure: Failure, lost: bool) -> None:
        super().__init__(f"{failure.kind}: {failure.detail}")
        self.failure = failure
        self.lost = lost


def connect(key: str, base_url: str | None, timeout: float = TIMEOUT) -> anthropic.Anthropic:
    """A client; nothing is sent yet."""
    return anthropic.Anthropic(
        api_key=key, base_url=base_url, timeout=timeout, max_retries=RETRIES, middleware=[_pays_knowingly]
    )


class _LostReply(Exception):
    """A call that was sent and whose reply did not arrive."""


def _pays_knowingly(request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
    """Keep the SDK from repeating by itself a call that may have been billed: the budget has to agree."""
    try:
        return call_next(request)
    except anthropic.APIConnectionError as error:
        never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        if never_sent or request.method != "post" or request.url not in _PAID:
            raise
        # Not `from error`: the SDK repeats whatever has a connection error among its causes.
        raise _LostReply(_kind(error), str(error.__cause__ or error)) from None


class Claude:
    """One model behind the Messages API."""

    def __init__(self, client: anthropic.Anthropic, limits: ClaudeLimits) -> None:
        self._client = client
        self._limits = limits

    def count(self, request: Request) -> int:
        """The input tokens of a request; costs nothing. Raises Fault or ClaudeError.

        Behind a gateway that cannot count: as many as the request has bytes, which is never too few.
        """
        body = {name: value for name, value in self.body(request).items() if name != "max_tokens"}
        try:
            counted: MessageTokensCount = self._client.messages.count_tokens(**body)
        except anthropic.NotFoundError:
            return len(json.dumps(body).encode())
        except anthropic.AnthropicError as error:
            raise self._fault(error) from None
        return counted.input_tokens

    def ask(self, request: Request) -> str:
        """The reply as text; raises Fault or ClaudeError."""
        try:
            response = self._client.messages.with_raw_response.create(**self.body(request))
            return self._without_key(response.text())
        except (anthropic.AnthropicError, _LostReply) as error:
            raise self._fault(error) from None

    def submit(self, requests: Sequence[Request]) -> str:
        """Start a Message Batch; its id. Raises Fault or ClaudeError."""
        entries: Any = [{"custom_id": request.name, "params": self.body(request)} for request in requests]
        try:
            batch: MessageBatch = self._client.messages.batches.create(requests=entries)
        except (anthropic.AnthropicError, _LostReply) as error:
            raise self._fault(error) from None
        return batch.id

    def has_ended(self, batch: str) -> bool:
        """Whether a batch is done; raises Fault or ClaudeError."""
        try:
            return self._client.messages.batches.retrieve(batch).processing_status == "ended"
        except anthropic.AnthropicError as error:
            raise self._fault(error) from None

    def collect(self, batch: str) -> dict[str, str | Failure]:
        """Request name -> its reply as text, or why there is none; of a batch that has ended."""
        try:
            results = list(self._client.messages.batches.results(batch))
        except anthropic.AnthropicError as error:
            raise self._fault(error) from None
        return {found.custom_id: self._result(found) for found in results}

    def _result(self, found: MessageBatchIndividualResponse) -> str | Failure:
        if found.result.type == "succeeded":
            return self._without_key(found.result.message.to_json(indent=None))
        if found.result.type == "errored":
            error = found.result.error.error
            return Failure("rejected", self._short(f"{error.type}: {error.message}"))
        return Failure(found.result.type, "the batch ended before this request was answered")

    def body(self, request: Request) -> Json:
        """A request as the API takes it.

        Models that always think refuse a forced tool, so the prompt asks for it.
        """
        return {
            "model": self._limits.model,
            "max_tokens": MAX_OUTPUT,
            "system": [{"type": "text", "text": guide.system(), "cache_control": {"type": "ephemeral"}}],
            "tools": [guide.tool()],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "output_config": {"effort": _EFFORT},
            "messages": list(request.messages),
        }

    def _fault(self, error: anthropic.AnthropicError | _LostReply) -> Fault | ClaudeError:
        if isinstance(error, _LostReply):
            kind, said = error.args
            return Fault(Failure(kind, self._short(said)), lost=True)
        said = self._short(str(error))
        if isinstance(error, _FATAL):
            return ClaudeError(
                f"Claude refuses every call: {said}; check the API key, its credit and the model"
            )
        return Fault(Failure(_kind(error), said), lost=False)

    def _short(self, text: str) -> str:
        return self._without_key(" ".join(text.split()))[:_LONGEST_REASON]

    def _without_key(self, text: str) -> str:
        """A gateway may quote the key it was sent; it is not kept."""
        return text.replace(self._client.api_key or "\0", "[key]")


_KINDS: Mapping[type[anthropic.AnthropicError], str] = {
    anthropic.APITimeoutError: "timeout",
    anthropic.APIConnectionError: "connection",
    anthropic.RateLimitError: "rate limit",
    anthropic.OverloadedError: "overloaded",
    anthropic.InternalServerError: "server error",
    anthropic.APIStatusError: "rejected",
}


def _kind(error: anthropic.AnthropicError) -> str:
    return next((name for kind, name in _KINDS.items() if isinstance(error, kind)), "unreadable")

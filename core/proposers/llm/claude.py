"""Asking Claude: what a request says, what its reply says, and the ways both can fail.

A reply is kept as the text that arrived; `replies.py` reads it. Faults of the service are retried by the SDK
(it honours `retry-after` and backs off otherwise) and are Failures after that. Only what would fail for every
head alike, such as a refused key, is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, CallNext
from anthropic.types import MessageTokensCount
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse

from core.errors import ProposerError
from core.proposers.llm import guide
from core.proposers.llm.bounded import asked_pause, bounded
from core.proposers.llm.limits import ClaudeLimits
from core.proposers.llm.provider import LONGEST_REASON, MAX_OUTPUT, Fault, Request, stated
from core.settings import RETRIES, Settings
from core.types import Failure, Json

TIMEOUT = 300.0  # seconds a call may take; MAX_OUTPUT tokens take about half of that
_EFFORT: Literal["medium"] = "medium"
_PAID = ("/v1/messages", "/v1/messages/batches")
_GATEWAY_GAVE_UP = (408, 502, 504)  # what stood behind it may have gone on and finished
_CANCEL_TIMEOUT = 1.2  # seconds; a worker that is told to stop has little more
_LOOKED_THROUGH = 100  # of the newest batches, for one whose id never arrived

_FATAL = (
    anthropic.AuthenticationError,
    anthropic.PermissionDeniedError,
    anthropic.PaymentRequiredError,
    anthropic.NotFoundError,
)


_SERVICE = "https://api.anthropic.com"  # the SDK takes an empty ANTHROPIC_BASE_URL for an address


def connect(
    key: str, base_url: str | None, timeout: float = TIMEOUT, retries: int = RETRIES
) -> anthropic.Anthropic:
    """A client; nothing is sent yet."""
    return anthropic.Anthropic(
        api_key=key,
        base_url=base_url or _SERVICE,
        timeout=timeout,
        max_retries=retries,
        middleware=[_pays_knowingly],
        http_client=bounded(anthropic.DefaultHttpxClient)(timeout=timeout),
    )


@contextmanager
def opened(limits: ClaudeLimits, settings: Settings) -> Iterator[Claude]:
    """The model that a run asks; raises ProposerError if there is no usable key."""
    key, patience = settings.require_api_key(), settings.patience
    with closing(connect(key, settings.base_url, retries=patience.retries)) as client:
        yield Claude(client, limits)


class _LostReply(Exception):
    """A call that was sent and whose reply did not arrive."""


def _pays_knowingly(request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
    """Keep the SDK from repeating by itself a call that may have been billed: the budget has to agree."""
    pays = request.method == "post" and request.url in _PAID
    try:
        response = call_next(request)
    except anthropic.APIConnectionError as error:
        never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        if never_sent or not pays:
            raise
        # Not `from error`: the SDK repeats whatever has a connection error among its causes.
        raise _LostReply(_kind(error), str(error.__cause__ or error)) from None
    if pays and _may_be_billed(response.http_response):
        raise _LostReply("server error", f"a gateway answered {response.status_code}")
    return response


def _may_be_billed(response: httpx2.Response) -> bool:
    """Whether an error is a gateway's, not the service's own, which is never billed."""
    if response.status_code in _GATEWAY_GAVE_UP:
        return True
    if response.status_code < 500:
        return False
    try:
        said = json.loads(response.read())
    except (httpx2.HTTPError, ValueError):
        return True
    return not (isinstance(said, dict) and said.get("type") == "error")


class Claude:
    """One model behind the Messages API."""

    def __init__(self, client: anthropic.Anthropic, limits: ClaudeLimits) -> None:
        self._client = client
        self._limits = limits

    def count(self, request: Request) -> int:
        """The input tokens of a request; costs nothing. Raises Fault or ProposerError.

        Behind a gateway that cannot count, or counts nonsense: as many as the request has bytes, which is
        never too few.
        """
        body = {name: value for name, value in self.body(request).items() if name != "max_tokens"}
        with self._faults():
            try:
                counted: MessageTokensCount = self._client.messages.count_tokens(**body)
            except anthropic.NotFoundError:
                return len(json.dumps(body).encode())
            return stated(counted.input_tokens) or len(json.dumps(body).encode())

    def ask(self, request: Request) -> str:
        """The reply as text; raises Fault or ProposerError."""
        with self._faults(pays=True):
            response = self._client.messages.with_raw_response.create(**self.body(request))
            return self._without_key(response.text())

    def submit(self, token: str, requests: Sequence[Request]) -> str:
        """Start a Message Batch, its calls named after `token`; its id. Raises Fault or ProposerError."""
        entries: Any = [
            {"custom_id": f"{token}_{request.name}", "params": self.body(request)} for request in requests
        ]
        with self._faults(pays=True):
            batch: MessageBatch = self._client.messages.batches.create(requests=entries)
            return batch.id

    def find(self, token: str, calls: int) -> str | None:
        """The id of a batch submitted under `token`; "" if there is none, None while that cannot be told.

        Only the results name a batch's calls, so each that has as many must end first. Raises Fault or
        ProposerError.
        """
        undecided = False
        with self._faults():
            for batch in self._client.messages.batches.list(limit=_LOOKED_THROUGH).data:
                if batch.archived_at is not None or _size(batch) != calls:
                    continue
                if batch.processing_status != "ended":
                    undecided = True
                elif next(iter(self._client.messages.batches.results(batch.id))).custom_id.startswith(token):
                    return batch.id
        return None if undecided else ""

    def results(self, batch: str) -> dict[str, str | Failure] | None:
        """Request name -> its reply as text, or why there is none; None until the batch has ended.

        Empty if the service no longer holds them. Raises Fault or ProposerError.
        """
        with self._faults():
            try:
                held = self._client.messages.batches.retrieve(batch)
            except anthropic.NotFoundError:
                return {}
            if held.processing_status != "ended":
                return None
            if held.results_url is None:
                return {}
            found = list(self._client.messages.batches.results(batch))
        return {one.custom_id.partition("_")[2]: self._result(one) for one in found}

    def cancel(self, batch: str) -> None:
        """End a batch early; what it has answered is billed and can be read."""
        with self._faults():
            self._client.with_options(timeout=_CANCEL_TIMEOUT, max_retries=0).messages.batches.cancel(batch)

    def _result(self, found: MessageBatchIndividualResponse) -> str | Failure:
        if found.result.type == "succeeded":
            return self._without_key(found.result.message.to_json(indent=None))
        if found.result.type == "errored":
            error = found.result.error.error
            kind = _BATCH_KINDS.get(error.type, "rejected")
            return Failure(kind, self._short(f"{error.type}: {error.message}"))
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

    @contextmanager
    def _faults(self, pays: bool = False) -> Iterator[None]:
        """Whatever goes wrong with the service is a Fault or, if it would with every call, a ProposerError.

        A gateway may answer with anything at all, and the SDK hands on what it cannot read.
        """
        try:
            yield
        except _LostReply as error:
            kind, said = error.args
            raise Fault(Failure(kind, self._short(said)), lost=True) from None
        except _FATAL as error:
            raise ProposerError(
                f"Claude refuses every call: {self._short(str(error))}; check the API key, its credit and "
                "the model"
            ) from None
        except anthropic.AnthropicError as error:
            pause = asked_pause(getattr(error, "response", None))
            raise Fault(Failure(_kind(error), self._short(str(error)) + pause), lost=False) from None
        except httpx2.HTTPError as error:
            raise Fault(Failure("connection", self._short(str(error))), lost=pays) from None
        except (ValueError, TypeError, AttributeError, StopIteration) as error:
            said = self._short(f"the answer is not one of this API: {error}")
            raise Fault(Failure("unreadable", said), lost=pays) from None

    def _short(self, text: str) -> str:
        return self._without_key(" ".join(text.split()))[:LONGEST_REASON]

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

_BATCH_KINDS: Mapping[str, str] = {
    "rate_limit_error": "rate limit",
    "overloaded_error": "overloaded",
    "api_error": "server error",
    "timeout_error": "timeout",
}


def _size(batch: MessageBatch) -> int:
    """How many calls a batch has."""
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _kind(error: anthropic.AnthropicError) -> str:
    return next((name for kind, name in _KINDS.items() if isinstance(error, kind)), "unreadable")

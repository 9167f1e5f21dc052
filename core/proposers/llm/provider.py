"""What any language model is to a run: requests in, replies out, and the ways that fails.

Requests and replies are written as messages of content blocks, those of Claude's Messages API: a reply is
JSON with `content` (`text` and `tool_use` blocks), `stop_reason` and `usage`. A provider of another service
translates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.types import Failure, Json

MAX_OUTPUT = 8_000  # tokens a reply may have, thinking included
LONGEST_REASON = 300  # characters of what a service said that are kept


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


class Provider(Protocol):
    """One model behind a service; for many threads. Every method raises Fault, or ProposerError.

    The latter where no call can succeed: a refused key, a model that is not there.
    """

    def count(self, request: Request) -> int:
        """The input tokens of a request, or more: a limit relies on it."""

    def ask(self, request: Request) -> str:
        """The reply as text."""


class BatchProvider(Provider, Protocol):
    """One that takes many requests at a time and answers them later."""

    def submit(self, token: str, requests: Sequence[Request]) -> str:
        """Start a batch, its calls named after `token`; its id."""

    def find(self, token: str, calls: int) -> str | None:
        """The id of a batch submitted under `token`; "" if there is none, None while that cannot be told."""

    def results(self, batch: str) -> Mapping[str, str | Failure] | None:
        """Request name -> its reply, or why there is none; None until the batch has ended, empty if gone."""

    def cancel(self, batch: str) -> None:
        """End a batch early; what it has answered is billed and can be read."""


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    input: float
    cache_write: float  # kept for 5 minutes
    cache_read: float
    output: float


@dataclass(frozen=True)
class Usage:
    """Tokens of one call or of many."""

    input: int = 0  # neither written to the cache nor read from it
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cache_write + other.cache_write,
            self.cache_read + other.cache_read,
            self.output + other.output,
            self.calls + other.calls,
        )

    @classmethod
    def of_reply(cls, reply: Mapping[str, Any]) -> Usage | None:
        """The usage that a reply states; None if it does not say what went in or came out."""
        stated = reply.get("usage")
        fields = stated if isinstance(stated, dict) else {}

        def tokens(name: str) -> int:
            value = fields.get(name)
            return max(0, value) if isinstance(value, int) else 0

        if not all(isinstance(fields.get(name), int) for name in ("input_tokens", "output_tokens")):
            return None
        return cls(
            tokens("input_tokens"),
            tokens("cache_creation_input_tokens"),
            tokens("cache_read_input_tokens"),
            tokens("output_tokens"),
            calls=1,
        )

    def cost(self, price: Price) -> float:
        """USD."""
        dollars = (
            self.input * price.input
            + self.cache_write * price.cache_write
            + self.cache_read * price.cache_read
            + self.output * price.output
        )
        return dollars / 1e6

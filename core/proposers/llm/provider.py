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
_MOST_TOKENS = 10**9  # of one call: more is no number of tokens
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


def stated(tokens: object) -> int | None:
    """A number of tokens that a service states; None if it cannot be one."""
    if not isinstance(tokens, int) or isinstance(tokens, bool):
        return None
    return tokens if 0 <= tokens <= _MOST_TOKENS else None


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
        """The usage that a reply states; None, which is not free, if no reply can have had it."""
        told = reply.get("usage")
        fields = told if isinstance(told, dict) else {}
        cached = ("cache_creation_input_tokens", "cache_read_input_tokens")
        absent = {name: 0 for name in cached if fields.get(name) is None}
        fresh, written, read, came_out = (
            stated(absent.get(name, fields.get(name))) for name in ("input_tokens", *cached, "output_tokens")
        )
        if fresh is None or written is None or read is None or not came_out or fresh + written + read == 0:
            return None
        return cls(fresh, written, read, came_out, calls=1)

    def cost(self, price: Price) -> float:
        """USD."""
        dollars = (
            self.input * price.input
            + self.cache_write * price.cache_write
            + self.cache_read * price.cache_read
            + self.output * price.output
        )
        return dollars / 1e6

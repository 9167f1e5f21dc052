"""What Claude costs: the price list, an estimate before a run, and a budget that no call may pass.

The cost of a call is bounded before it is made: its input, counted by the API, at the dearest input price,
and all the output it is allowed. What it did cost follows from the usage that its reply states.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import ClaudeError
from core.types import ClaudeLimits

MAX_OUTPUT = 8_000  # tokens a reply may have, thinking included

_TYPICAL_PREFIX = 2_600  # tokens: the tool and the language reference, read from the cache
_TYPICAL_INPUT = 2_000  # tokens of one head's evidence and task
_TYPICAL_OUTPUT = 2_500  # tokens of a reply
_BATCH_FACTOR = 0.5


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    input: float
    cache_write: float  # kept for 5 minutes
    cache_read: float
    output: float


# Anthropic's list prices (https://platform.claude.com/docs/en/about-claude/pricing). When they change or a
# model is added, edit this table and its date.
PRICES_OF = "2026-10-24"
PRICES: Mapping[str, Price] = {
    "claude-sonnet-5-5": Price(2.00, 2.50, 0.10, 10.00),
    "claude-sonnet-5": Price(2.00, 2.50, 0.20, 10.00),
    "claude-haiku-5-5": Price(0.10, 0.125, 0.01, 0.50),  # of prompts up to 100,000 tokens
    "claude-opus-5-5": Price(4.00, 5.00, 0.20, 20.00),
    "claude-opus-5": Price(5.00, 6.25, 0.50, 25.00),
    "claude-fable-5-1": Price(10.00, 12.50, 0.25, 50.00),
}


def price_of(limits: ClaudeLimits) -> Price:
    """What the run's model costs, at half price in batches; raises ClaudeError if it is not in the list."""
    price = PRICES.get(limits.model)
    if price is None:
        raise ClaudeError(
            f"the price of {limits.model!r} is unknown, so no budget can hold; choose one of "
            f"{', '.join(PRICES)}, or add it to PRICES in core/proposers/llm/prices.py"
        )
    factor = _BATCH_FACTOR if limits.batches else 1.0
    return Price(
        price.input * factor, price.cache_write * factor, price.cache_read * factor, price.output * factor
    )


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


def most_a_call_costs(input_tokens: int, price: Price) -> float:
    """USD that a call with so much counted input cannot pass."""
    return (input_tokens * price.cache_write + MAX_OUTPUT * price.output) / 1e6


def estimate_cost(heads: int, limits: ClaudeLimits, input_tokens: int | None = None) -> float:
    """Roughly what a run costs in USD, if every head takes all its rounds; the budget may end it earlier.

    `input_tokens` is the counted input of one head's first call, where it is known.
    """
    price = price_of(limits)
    fresh = _TYPICAL_INPUT if input_tokens is None else max(0, input_tokens - _TYPICAL_PREFIX)
    a_call = Usage(fresh, 0, _TYPICAL_PREFIX, _TYPICAL_OUTPUT).cost(price)
    return heads * (1 + limits.rounds) * a_call


class Budget:
    """What a run has spent and may still spend; for many threads.

    A call first reserves the most it can cost, then settles what it did cost. Of a reply that got lost on the
    way, or does not state its usage, nobody knows what is billed: the most it can cost stays set aside, as
    `lost`.
    """

    def __init__(self, limit: float, price: Price, usage: Usage | None = None, lost: float = 0.0) -> None:
        self._limit, self._price = limit, price
        self._usage = usage or Usage()
        self._lost = lost
        self._reserved = 0.0
        self._changed = threading.Condition()

    @property
    def usage(self) -> Usage:
        """All tokens so far."""
        return self._usage

    @property
    def spent(self) -> float:
        """USD of all replies."""
        return self._usage.cost(self._price)

    @property
    def lost(self) -> float:
        """USD at most that calls may have cost whose usage is unknown."""
        return self._lost

    def reserve(self, most: float, wait: bool = True) -> bool:
        """Set aside what a call can cost at most; False if that could pass the budget.

        With `wait`, after the end of calls under way, which may turn out cheaper than what they set aside.
        """
        with self._changed:
            while wait and self._reserved > 0 and not self._has_room(most):
                self._changed.wait()
            if not self._has_room(most):
                return False
            self._reserved += most
            return True

    def _has_room(self, most: float) -> bool:
        return self.spent + self._lost + self._reserved + most <= self._limit

    def settle(self, most: float, usage: Usage | None, lost: bool = False) -> None:
        """End a reservation: with a reply's usage, as lost, or as a call that was not billed."""
        with self._changed:
            # What all reservations sum to can be off by rounding; a rest of it must not keep others waiting.
            rest = self._reserved - most
            self._reserved = rest if rest > 1e-9 else 0.0
            if usage is not None:
                self._usage += usage
            elif lost:
                self._lost += most
            self._changed.notify_all()

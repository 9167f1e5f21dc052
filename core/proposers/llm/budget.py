"""A limit that no call may pass: of dollars, or of tokens where no price is known, and of calls.

What a call uses up is bounded before it is made: its input, counted, at the dearest input price, and all the
output it is allowed. What it did use up follows from the usage that its reply states.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from core.proposers.llm.provider import MAX_OUTPUT, Price, Usage

TOKENS = Price(1e6, 1e6, 1e6, 1e6)  # at which a token is one: what is limited then are tokens


@dataclass(frozen=True)
class Terms:
    """What a run may use up."""

    most: float  # USD, or tokens at the price TOKENS
    price: Price
    calls: int | None = None  # None: as many as `most` holds for

    @property
    def in_dollars(self) -> bool:
        """Whether a price is known."""
        return self.price != TOKENS

    def words(self, amount: float) -> str:
        """An amount for people."""
        return f"${amount:.4f}" if self.in_dollars else f"{amount:,.0f} tokens"


def most_a_call_costs(input_tokens: int, price: Price) -> float:
    """What a call with so much counted input cannot pass, in what the price is in."""
    return (input_tokens * price.cache_write + MAX_OUTPUT * price.output) / 1e6


class Budget:
    """What a run has spent and may still spend; for many threads.

    A call first reserves the most it can cost, then settles what it did cost. Of a reply that got lost on the
    way, or does not state its usage, nobody knows what is billed: the most it can cost stays set aside, as
    `lost`, and it counts as a call.
    """

    def __init__(
        self,
        limit: float,
        price: Price,
        usage: Usage | None = None,
        lost: float = 0.0,
        calls: int | None = None,
        lost_calls: int = 0,
    ) -> None:
        self._limit, self._price, self._calls = limit, price, calls
        self._usage = usage or Usage()
        self._lost, self._lost_calls = lost, lost_calls
        self._reserved, self._under_way = 0.0, 0
        self._changed = threading.Condition()

    @property
    def usage(self) -> Usage:
        """All tokens so far."""
        return self._usage

    @property
    def spent(self) -> float:
        """USD, or tokens, of all replies."""
        return self._usage.cost(self._price)

    @property
    def lost(self) -> float:
        """USD, or tokens, at most that calls may have cost whose usage is unknown."""
        return self._lost

    @property
    def has_calls(self) -> bool:
        """Whether one more call may be made, whatever it costs."""
        made = self._usage.calls + self._lost_calls + self._under_way
        return self._calls is None or made < self._calls

    def reserve(self, most: float, wait: bool = True) -> bool:
        """Set aside what a call can cost at most; False if that could pass the budget.

        With `wait`, after the end of calls under way, which may turn out cheaper than what they set aside.
        """
        with self._changed:
            while wait and self._under_way and not self._has_room(most):
                self._changed.wait()
            if not self._has_room(most):
                return False
            self._reserved += most
            self._under_way += 1
            return True

    def _has_room(self, most: float) -> bool:
        return self.has_calls and self.spent + self._lost + self._reserved + most <= self._limit

    def settle(self, most: float, usage: Usage | None, lost: bool = False) -> None:
        """End a reservation: with a reply's usage, as lost, or as a call that was not billed."""
        with self._changed:
            self._under_way -= 1
            # What all reservations sum to can be off by rounding.
            self._reserved = self._reserved - most if self._under_way else 0.0
            if usage is not None:
                self._usage += usage
            elif lost:
                self._lost += most
                self._lost_calls += 1
            self._changed.notify_all()

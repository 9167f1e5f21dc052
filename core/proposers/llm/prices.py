"""What Claude costs: the price list, and an estimate before a run."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import ProposerError
from core.proposers.llm.budget import Terms
from core.proposers.llm.limits import ClaudeLimits
from core.proposers.llm.provider import Price, Usage

_TYPICAL_PREFIX = 2_600  # tokens: the tool and the language reference, read from the cache
_TYPICAL_INPUT = 2_000  # tokens of one head's evidence and task
_TYPICAL_OUTPUT = 2_500  # tokens of a reply
_BATCH_FACTOR = 0.5

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
    """What the run's model costs, at half price in batches; raises ProposerError if it is not in the list."""
    price = PRICES.get(limits.model)
    if price is None:
        raise ProposerError(
            f"the price of {limits.model!r} is unknown, so no budget can hold; choose one of "
            f"{', '.join(PRICES)}, or add it to PRICES in core/proposers/llm/prices.py"
        )
    factor = _BATCH_FACTOR if limits.batches else 1.0
    return Price(
        price.input * factor, price.cache_write * factor, price.cache_read * factor, price.output * factor
    )


def terms(limits: ClaudeLimits) -> Terms:
    """What the run may spend, at what price; raises ProposerError if that is not in the list."""
    return Terms(limits.budget, price_of(limits))


def estimate_cost(heads: int, limits: ClaudeLimits, input_tokens: int | None = None) -> float:
    """Roughly what a run costs in USD, if every head takes all its rounds; the budget may end it earlier.

    `input_tokens` is the counted input of one head's first call, where it is known.
    """
    price = price_of(limits)
    fresh = _TYPICAL_INPUT if input_tokens is None else max(0, input_tokens - _TYPICAL_PREFIX)
    a_call = Usage(fresh, 0, _TYPICAL_PREFIX, _TYPICAL_OUTPUT).cost(price)
    return heads * (1 + limits.rounds) * a_call

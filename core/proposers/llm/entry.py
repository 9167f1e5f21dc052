"""Claude as a proposer."""

from __future__ import annotations

from contextlib import AbstractContextManager

from core.proposers.llm.limits import ClaudeLimits
from core.proposers.llm.prices import PRICES_OF, estimate_cost, price_of, terms
from core.proposers.llm.provider import Provider
from core.proposers.proposer import LanguageModel, Proposer
from core.settings import Settings

_SETUP = (
    "Claude needs an API key. Make one at [platform.claude.com](https://platform.claude.com), then "
    'set `ANTHROPIC_API_KEY` in the environment, or write `ANTHROPIC_API_KEY = "…"` into '
    "`.streamlit/secrets.toml`, and start the app again. The key is never stored or shown."
)


def _connect(limits: ClaudeLimits, settings: Settings) -> AbstractContextManager[Provider]:
    from core.proposers.llm.claude import opened  # the SDK takes a while to import

    return opened(limits, settings)


def _check(limits: ClaudeLimits, settings: Settings) -> None:
    settings.require_api_key()
    price_of(limits)


CLAUDE = Proposer(
    name="claude",
    title="Claude",
    job="Ask Claude",
    about="Claude reads what a head does, proposes programs and refines them. Paid, within a hard budget.",
    limits=ClaudeLimits,
    way=LanguageModel("Claude", _connect, terms, estimate_cost, _check, _SETUP, PRICES_OF),
    secrets=("ANTHROPIC_API_KEY",),
    needs_device=False,
    settings=lambda settings: {"model": settings.claude_model},
)

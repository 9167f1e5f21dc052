"""Who writes programs: attention in, programs out. They are handed train and validation only.

A proposer is an entry of PROPOSERS; command line, page, jobs and history follow from what the entry says.
"""

from core.doors import Door
from core.proposers.llm.entry import CLAUDE
from core.proposers.llm.limits import ClaudeLimits
from core.proposers.llm.openai import OPENAI, OpenAILimits
from core.proposers.proposer import (
    LanguageModel,
    LayerByLayer,
    Layers,
    Material,
    Proposer,
    check_limits,
    limit,
)
from core.proposers.search.entry import SEARCH
from core.proposers.search.limits import SearchLimits

PROPOSERS = Door("proposer", SEARCH, CLAUDE, OPENAI)

__all__ = [
    "PROPOSERS",
    "ClaudeLimits",
    "LanguageModel",
    "LayerByLayer",
    "Layers",
    "Material",
    "OpenAILimits",
    "Proposer",
    "SearchLimits",
    "check_limits",
    "limit",
]

"""The search as a proposer."""

from __future__ import annotations

from core.proposers.proposer import LayerByLayer, Layers, Material, Proposer
from core.proposers.search.limits import SearchLimits


def _prepare(material: Material, limits: SearchLimits) -> Layers:
    from core.proposers.search.propose import prepare_search

    return prepare_search(
        material.train,
        material.validation,
        material.is_causal,
        limits,
        material.device,
        material.halving,
        material.read,
        material.sizes,
    )


SEARCH = Proposer(
    name="search",
    title="Search",
    job="Search for programs",
    about="Generates tens of thousands of rules and keeps those that validation rewards. Free, no key.",
    limits=SearchLimits,
    way=LayerByLayer(_prepare),
    kind="synthesize",
)

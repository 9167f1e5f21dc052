"""Hybrids: a model in which programs stand in the place of attention heads.

with hybrid(loaded, spec) as patched:      heads replaced until the block ends
    patched.logits(features, rows)
ship(folder, info, spec, figures)          a hybrid as a folder that can be published
load_hybrid(folder).logits(texts)          ... and back
"""

from core.hybrid.folder import Making, Shipment, ShippedHybrid, load_hybrid, read_spec, ship
from core.hybrid.patched import Hybrid, hybrid, parsed, replaced, require_patchable
from core.hybrid.sources import (
    NO_PATTERNS,
    HeadMaps,
    PatternSource,
    PrefixPatterns,
    ProgramPatterns,
    together,
)
from core.models.patching import IMPLEMENTATION

__all__ = [
    "IMPLEMENTATION",
    "NO_PATTERNS",
    "HeadMaps",
    "Hybrid",
    "Making",
    "PatternSource",
    "PrefixPatterns",
    "ProgramPatterns",
    "Shipment",
    "ShippedHybrid",
    "hybrid",
    "load_hybrid",
    "parsed",
    "read_spec",
    "replaced",
    "require_patchable",
    "ship",
    "together",
]

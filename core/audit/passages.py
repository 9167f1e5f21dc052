"""What an audit reads: passages, and what the model attends to on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from core.types import Sentence, Split

if TYPE_CHECKING:  # torch, seconds long: what only lists or draws audits does without
    from core.features import Features
    from core.scoring import Examiner, HeadReader


@dataclass(frozen=True)
class Passages:
    """The passages of one split, and what the model attends to on them."""

    sentences: tuple[Sentence, ...]
    features: Features  # of these sentences, in this order
    attention: HeadReader  # sees these sentences only
    is_causal: bool

    @cached_property
    def examiner(self) -> Examiner:
        """Compares programs with heads on these passages; what programs share is computed once."""
        from core.scoring import Examiner

        return Examiner(self.features, self.sentences, self.attention, self.is_causal)


Splits = Mapping[Split, Passages]  # those that have a passage

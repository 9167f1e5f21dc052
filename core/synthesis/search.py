"""First programs: from a grid of small programs, each head's best.

Candidates are screened on train, and the best few of each head compared on validation. The search is
handed features and attention of those two splits and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.features import Features
from core.language import ParsedProgram, parse
from core.score import BASELINES, Patterns, cell_count, patterns, sentence_ious
from core.synthesis.rules import candidates

_SHORTLIST = 5
_CELL_BUDGET = 2**27  # float32 cells of candidate patterns held at once, 512 MB


@dataclass(frozen=True)
class Search:
    """The candidates' patterns, computed once and compared with one layer's heads after another."""

    programs: tuple[ParsedProgram, ...]
    train: Patterns
    validation: Patterns
    is_causal: bool

    def propose(self, maps: Mapping[str, np.ndarray]) -> list[ParsedProgram]:
        """Each head's best program; `maps` gives a layer's [head, query, key] for every sentence.

        Of equals on validation the shorter wins.
        """
        on_train = sentence_ious(self.train, maps, self.is_causal).mean(-1)  # [program, head]
        on_validation = sentence_ious(self.validation, maps, self.is_causal).mean(-1)
        chosen = []
        for head in range(on_train.shape[1]):
            shortlist = np.argsort(-on_train[:, head], kind="stable")[:_SHORTLIST]
            best = max(shortlist, key=lambda at: (on_validation[at, head], -self.programs[at].nodes))
            chosen.append(self.programs[best])
        return chosen


def prepare_search(train: Features, validation: Features, is_causal: bool) -> Search:
    """A search over the grid; of a long corpus only as many sentences are used as fit in memory."""
    sources = [*BASELINES.values(), *(candidate.source(is_causal) for candidate in candidates(is_causal))]
    programs = tuple(parse(source) for source in sources)
    budget = _CELL_BUDGET // len(programs) // 2
    train, validation = (_within(split, budget, is_causal) for split in (train, validation))
    return Search(
        programs,
        patterns(programs, train, is_causal),
        patterns(programs, validation, is_causal),
        is_causal,
    )


def _within(features: Features, cells: int, is_causal: bool) -> Features:
    """The first sentences whose maps together have at most `cells` cells; at least one."""
    sizes = np.cumsum([cell_count(int(n), is_causal) for n in features.lengths])
    return features.select(range(max(1, int(np.searchsorted(sizes, cells, side="right")))))

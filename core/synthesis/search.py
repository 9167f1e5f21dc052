"""First programs: from a grid of small programs each head's best, its constants fitted to the head.

Candidates are screened on train, constants are fitted on train, and what remains is compared on
validation. The search is handed features and attention of those two splits and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from core.features import Features
from core.language import ParsedProgram, parse
from core.language.tune import tune
from core.language.tune_literals import literals
from core.score import BASELINES, Patterns, cell_count, patterns, sentence_ious
from core.synthesis.rules import candidates

_SHORTLIST = 5
_STEPS = 30  # of fitting; a grid of two or three constants starts close to where it ends
_FIT_SENTENCES = 40  # of train; two or three constants need no more
_CELL_BUDGET = 2**27  # float32 cells of candidate patterns held at once, 512 MB


@dataclass(frozen=True)
class Search:
    """The candidates' patterns, computed once and compared with one layer's heads after another."""

    programs: tuple[ParsedProgram, ...]
    train_features: Features
    validation_features: Features
    train: Patterns
    validation: Patterns
    is_causal: bool

    def propose(self, maps: Mapping[str, np.ndarray]) -> list[ParsedProgram]:
        """Each head's best program; `maps` gives a layer's [head, query, key] for every sentence.

        Of equals on validation the shorter wins.
        """
        chosen, ious = self._best_of_grid(maps)
        fitted = self._fitted(chosen, maps)
        produced = patterns(fitted, self.validation_features, self.is_causal)
        fitted_ious = sentence_ious(produced, maps, self.is_causal).mean(-1)  # [fitted of head, head]
        return [
            fitted[head] if fitted_ious[head, head] > ious[head] else chosen[head]
            for head in range(len(chosen))
        ]

    def _best_of_grid(self, maps: Mapping[str, np.ndarray]) -> tuple[list[ParsedProgram], list[float]]:
        """Each head's best candidate as it stands, and its IoU on validation."""
        on_train = sentence_ious(self.train, maps, self.is_causal).mean(-1)  # [program, head]
        on_validation = sentence_ious(self.validation, maps, self.is_causal).mean(-1)
        chosen, ious = [], []
        for head in range(on_train.shape[1]):
            shortlist = np.argsort(-on_train[:, head], kind="stable")[:_SHORTLIST]
            best = max(shortlist, key=lambda at: (on_validation[at, head], -self.programs[at].nodes))
            chosen.append(self.programs[best])
            ious.append(float(on_validation[best, head]))
        return chosen, ious

    def _fitted(self, chosen: list[ParsedProgram], maps: Mapping[str, np.ndarray]) -> list[ParsedProgram]:
        """The programs with their constants fitted on train, where they still mean what they say."""
        sample = self.train_features.select(range(min(_FIT_SENTENCES, len(self.train_features))))
        targets = _padded(maps, sample)
        pairs = [(program, targets[head]) for head, program in enumerate(chosen)]
        fits = tune(pairs, sample, self.is_causal, steps=_STEPS)
        return [
            fit.program if _means_the_same(program, fit.program) else program
            for program, fit in zip(chosen, fits, strict=True)
        ]


def prepare_search(train: Features, validation: Features, is_causal: bool) -> Search:
    """A search over the grid; of a long corpus only as many sentences are used as fit in memory."""
    sources = [*BASELINES.values(), *(candidate.source(is_causal) for candidate in candidates(is_causal))]
    programs = tuple(parse(source) for source in sources)
    budget = _CELL_BUDGET // len(programs) // 2
    train, validation = (_within(split, budget, is_causal) for split in (train, validation))
    return Search(
        programs,
        train,
        validation,
        patterns(programs, train, is_causal),
        patterns(programs, validation, is_causal),
        is_causal,
    )


def _means_the_same(before: ParsedProgram, after: ParsedProgram) -> bool:
    """Whether what favoured a key still favours it, so that the docstring stays true."""
    pairs = zip(literals(before), literals(after), strict=True)
    return all(
        (old.value > 1) == (new.value > 1) and (old.value < 1) == (new.value < 1) for old, new in pairs
    )


def _padded(maps: Mapping[str, np.ndarray], features: Features) -> torch.Tensor:
    """The maps of these sentences, float16 [head, sentence, query, key], zero beyond each sentence's end."""
    heads = maps[features.sentences[0]].shape[0]
    width = int(features.lengths.max())
    targets = torch.zeros(heads, len(features), width, width, dtype=torch.float16)
    for row, sentence in enumerate(features.sentences):
        n = int(features.lengths[row])
        targets[:, row, :n, :n] = torch.from_numpy(maps[sentence])
    return targets


def _within(features: Features, cells: int, is_causal: bool) -> Features:
    """The first sentences whose maps together have at most `cells` cells; at least one."""
    sizes = np.cumsum([cell_count(int(n), is_causal) for n in features.lengths])
    return features.select(range(max(1, int(np.searchsorted(sizes, cells, side="right")))))

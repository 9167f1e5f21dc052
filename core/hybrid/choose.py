"""Which heads a hybrid replaces: costs, order, and as many as asked for or as a budget allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import HybridError
from core.features import Features
from core.hybrid import ProgramPatterns
from core.hybrid.costs import Scores, measured_costs, scores
from core.hybrid.order import (
    estimated_kl,
    greedy,
    largest_within,
    measured_kl,
    ranked,
)
from core.hybrid.perplexity import Tell, Variant, evaluation, measure
from core.hybrid.predicted import asked, measure_of, predictable
from core.language import ParsedProgram
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.scoring.ranks import rank_correlation
from core.types import HeadId, HeadOrder, Told

_COST_PASSAGES = {"cost": 120, "measured": 12, "greedy": 32}  # of validation, at most
_BUDGET_PASSAGES = 40


# Gradients on rows of the validation passages, with heads that are replaced already and a seed.
ScoreRows = Callable[[Sequence[int], frozenset[HeadId], int, Tell], Scores]


@dataclass(frozen=True)
class CostEstimate:
    """What replacing each head alone costs, and how sure that is."""

    kl: Mapping[HeadId, float]  # nats per token
    passages: int  # of validation that it was estimated on
    agreement: float | None  # rank correlation of two halves of them; None where there is none


@dataclass
class Chooser:
    """Programs to choose from, and the validation passages that choosing is done on."""

    loaded: LoadedModel
    programs: Mapping[HeadId, ParsedProgram]
    fits: Mapping[HeadId, float]  # IoU on validation
    validation: Features
    told: Told
    known: Mapping[HeadId, float] = field(default_factory=dict)  # costs that were estimated before
    seed: int = 0
    announce: Callable[[CostEstimate], None] = lambda costs: None  # hears of costs that were not known
    score: ScoreRows | None = None  # on validation; this process unless others work on it

    def __post_init__(self) -> None:
        info = self.loaded.info
        self.source = ProgramPatterns(self.programs, info.is_causal, self.loaded.device)
        self.halving = Halving(self.told.note)
        self.validation = asked(self.loaded, self.validation)

    def order(self, order: HeadOrder, count: int) -> list[HeadId]:
        """The heads in the order they are replaced, at least `count` of them."""
        heads = sorted(self.programs)
        if order == "greedy":
            return self._greedy(count)
        costs = self._costs(order) if order in ("cost", "measured") else {}
        return ranked(heads, order, costs, self.fits, self.seed)

    def within(self, budget: float, heads: Sequence[HeadId]) -> int:
        """How many of these heads, in this order, raise perplexity by at most `budget` on validation.

        Raises HybridError if not even one does, or for a model that has none.
        """
        if measure_of(self.loaded) == "final states":
            raise HybridError(
                f"{self.loaded.info.title} predicts no tokens, so no perplexity can be kept within a budget; "
                "give the share of heads to replace"
            )
        count, measured = self.most_within(budget, heads)
        if not count:
            raise HybridError(
                f"not even one head can be replaced within +{budget:.2%} (it costs {measured[1]:+.2%})"
            )
        self.told.note(f"{count} heads stay within +{budget:.1%} on validation: {measured[count]:+.2%}")
        return count

    def most_within(self, budget: float, heads: Sequence[HeadId]) -> tuple[int, dict[int, float]]:
        """The same, 0 among the answers, with the increase of each number of heads that was measured."""

        def increase_of(count: int) -> float:
            self.told.progress(f"measuring {count} heads against the budget", 0, 0)
            return self.increase({head: self.programs[head] for head in heads[:count]})

        return largest_within(budget, len(heads), increase_of)

    def increase(self, programs: Mapping[HeadId, ParsedProgram]) -> float:
        """By how much a hybrid raises perplexity on validation, 0.05 = +5 %."""
        source = ProgramPatterns(programs, self.loaded.info.is_causal, self.loaded.device)
        features = self.validation.select(self._rows(_BUDGET_PASSAGES))
        variant = Variant(source, frozenset(programs))
        return evaluation(measure(self.loaded, [variant], features, halving=self.halving)).increase.value

    def _costs(self, order: HeadOrder) -> Mapping[HeadId, float]:
        """KL per token of every head; announced as a result unless all were known."""
        if order == "cost" and all(head in self.known for head in self.programs):
            return self.known
        rows = self._rows(_COST_PASSAGES[order])
        half = np.arange(len(rows)) % 2 == 0

        def tell(done: int, total: int) -> None:
            self.told.progress("estimating what each head costs", done, total)

        if order == "cost":
            estimated = self._scores(rows, frozenset(), 0, tell)
            costs, halves = estimated_kl(estimated), [estimated_kl(estimated, part) for part in (half, ~half)]
        else:
            alone = measured_costs(self.loaded, self.source, self.validation, rows, tell, self.halving)
            costs, halves = measured_kl(alone), [measured_kl(alone, part) for part in (half, ~half)]
        agreement = rank_correlation(*halves)
        self.told.note(
            f"costs of {len(costs)} heads from {len(rows)} validation passages; "
            f"two halves of them order the heads alike with rank correlation {agreement:.2f}"
        )
        if order == "cost":
            self.announce(CostEstimate(costs, len(rows), None if np.isnan(agreement) else agreement))
        return costs

    def _greedy(self, count: int) -> list[HeadId]:
        rows = self._rows(_COST_PASSAGES["greedy"])

        def scores_after(taken: frozenset[HeadId]) -> Scores:
            self.told.progress("estimating costs anew, block by block", len(taken), count)
            return self._scores(rows, taken, self.seed)

        return greedy(sorted(self.programs), count, scores_after)

    def _scores(
        self, rows: Sequence[int], taken: frozenset[HeadId], seed: int, tell: Tell = lambda done, total: None
    ) -> Scores:
        if self.score is not None:
            return self.score(rows, taken, seed, tell)
        return scores(
            self.loaded,
            self.source,
            self.validation,
            rows,
            taken,
            seed=seed,
            tell=tell,
            halving=self.halving,
        )

    def _rows(self, most: int) -> list[int]:
        """Validation passages, drawn with the seed."""
        rows = predictable(self.loaded, self.validation)
        drawn = np.random.default_rng(self.seed).permutation(rows)[:most]
        return sorted(int(row) for row in drawn)

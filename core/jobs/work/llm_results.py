"""What a job with a language model tells its owner: scored programs, what was paid, what failed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from core.display import counted
from core.features import Features
from core.jobs.folder import EventWriter
from core.jobs.results import ProgramsFound, Talk
from core.jobs.work.search import new_programs
from core.language import ParsedProgram, parse
from core.proposers import LanguageModel
from core.proposers.llm.budget import Budget, Terms
from core.proposers.llm.calls import BUDGET
from core.proposers.llm.conversation import Outcome
from core.scoring import BASELINES, program_maps, score
from core.store.attention import AttentionReader
from core.types import HeadId, ModelInfo, Score, Split

# Kinds of Failure that another day may not meet.
_PASSING = frozenset(
    {"rate limit", "overloaded", "server error", "timeout", "connection", "expired", "canceled"}
)

BASELINE_PROGRAMS: Mapping[str, ParsedProgram] = {name: parse(source) for name, source in BASELINES.items()}


def result_name(head: HeadId) -> str:
    """The name of a head's result, which is in the file `<name>.json`."""
    return f"head-{head.layer:03}-{head.head:03}"


def tell_paid(events: EventWriter, terms: Terms, budget: Budget) -> None:
    """What was spent so far."""
    used = budget.usage
    events.cost(
        budget.spent if terms.in_dollars else 0.0,
        **{"lost" if terms.in_dollars else "lost_tokens": budget.lost},
        calls=used.calls,
        input=used.input + used.cache_write,
        cached=used.cache_read,
        output=used.output,
    )


class Teller:
    """Writes a job's events, one at a time; `paid` is called from many threads."""

    def __init__(
        self,
        events: EventWriter,
        info: ModelInfo,
        model: LanguageModel,
        origin: str,
        limits: Any,
        features: Mapping[Split, Features],
        attention: AttentionReader,
        total: int,
    ) -> None:
        self._events, self._info, self._limits = events, info, limits
        self._model, self._origin, self.terms = model, origin, model.terms(limits)
        self._features, self._attention = features, attention
        self._total = total
        self.done = 0
        self.unanswered = 0  # heads that only passing faults left without a program
        self._failed = self._unasked = 0
        self._lock = threading.Lock()

    def progress(self, stage: str) -> None:
        """What is going on; how many heads are done."""
        with self._lock:
            self._events.progress(stage, self.done, self._total)

    def asking(self) -> None:
        """That the model is being asked."""
        self.progress(f"asking {self._model.who}")

    def note(self, message: str) -> None:
        """Something the user should know."""
        with self._lock:
            self._events.note(message)

    def estimate(self, input_tokens: int) -> None:
        """What the heads that are left may cost, from the counted input of the first call."""
        heads = self._total - self.done
        dollars = self._model.estimate(heads, self._limits, input_tokens)
        if dollars is None:
            self.note(
                f"a first call has at most {input_tokens:,} tokens of input; {counted(heads, 'head')} "
                f"may take no more than {self.terms.words(self.terms.most)} and {self.terms.calls} calls"
            )
        else:
            self.note(
                f"a first call has {input_tokens:,} tokens of input; {counted(heads, 'head')} may cost about "
                f"${dollars:.2f}, and no more than ${self.terms.most:.2f} in all"
            )

    def head_done(self, head: HeadId, outcome: Outcome) -> None:
        """A head's result.

        One that the budget or a passing fault left without any program has none, and can be asked again.
        """
        last = outcome.failures[-1].kind if outcome.best is None and outcome.failures else None
        self._unasked += last == BUDGET
        self.unanswered += last in _PASSING
        has_ended = last != BUDGET and last not in _PASSING
        self._failed += has_ended and outcome.best is None
        with self._lock:
            for failure in outcome.failures:
                if failure.kind != BUDGET:
                    self._events.note(f"{head}: {failure.kind}: {failure.detail}")
            if has_ended:
                self._events.result(result_name(head), self._result(head, outcome))
        self.done += 1

    def paid(self, budget: Budget) -> None:
        """What was spent so far."""
        with self._lock:
            tell_paid(self._events, self.terms, budget)

    def conclude(self, budget: Budget) -> None:
        """The bill, and what is missing."""
        self.paid(budget)
        used = budget.usage
        most = f"${self.terms.most:.2f}" if self.terms.in_dollars else f"{self.terms.most:,.0f}"
        parts = [
            f"{used.calls} calls for {self.terms.words(budget.spent)} of {most}: {used.output:,} "
            f"tokens of output, {used.input + used.cache_write:,} of input, {used.cache_read:,} cached"
        ]
        if budget.lost:
            parts.append(
                "replies that got lost or do not state their usage may have cost up to "
                f"{self.terms.words(budget.lost)} more"
            )
        if self._failed:
            parts.append(f"heads left without a program because a call failed: {self._failed}")
        if self.unanswered:
            parts.append(f"heads left without an answer for now: {self.unanswered}")
        if self._unasked:
            parts.append(f"heads not asked about because the budget could not hold: {self._unasked}")
        self.note("; ".join(parts))

    def _result(self, head: HeadId, outcome: Outcome) -> ProgramsFound:
        """A head's best program and the baselines, scored on it on every split, and how it came about."""
        best = outcome.best.program if outcome.best else None
        programs = {
            program.id: program for program in [*BASELINE_PROGRAMS.values(), *([best] if best else [])]
        }
        scores = self._scores(head, list(programs.values()))
        return ProgramsFound(
            self._info.id,
            new_programs(list(programs.values()), self._origin),
            ((head, best.id),) if best else (),
            self._events.scores(result_name(head), scores),
            Talk(outcome.programs, tuple(outcome.ious), tuple(outcome.failures)),
        )

    def _scores(self, head: HeadId, programs: Sequence[ParsedProgram]) -> list[Score]:
        maps = self._attention.layer(head.layer, [head.head])
        scores: list[Score] = []
        for split, features in self._features.items():
            looks = self._attention.looks(features.sentences)
            produced = program_maps(programs, features, self._info.is_causal, looks=looks)
            window = self._info.window(head.layer)
            scores += score(produced, maps, [head], split, window, with_js=split == Split.TEST)
        return scores

"""From attention to programs that Claude proposes. Skips heads that are done, and pays for no reply twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from core.corpus import require_splits
from core.features import Features
from core.jobs.asking import BUDGET, Asker
from core.jobs.finding import device_of, program_content, score_programs, split_features, wanted_heads
from core.jobs.folder import EventWriter, JobFolder, Json
from core.jobs.ledger import CallLog
from core.language import ParsedProgram, parse
from core.score import BASELINES, js_distances, patterns, sentence_ious, summarise
from core.settings import Settings
from core.store.attention import AttentionReader
from core.store.workspace import attention_folder
from core.synthesis.claude import Claude, connect
from core.synthesis.evidence import HeadData
from core.synthesis.money import Budget
from core.synthesis.refine import Conversation, Outcome, converse
from core.types import ClaudeLimits, Failure, HeadId, ModelInfo, Score, Sentence, Split

_AT_ONCE = 4  # heads whose conversations go on side by side
_BASELINES = {name: parse(source) for name, source in BASELINES.items()}


def propose_programs(
    folder: JobFolder, workspace: Path, info: ModelInfo, sentences: list[Sentence], events: EventWriter
) -> None:
    """Programs for the heads the job names, then every program found scored on every head."""
    require_splits(sentences)
    heads = [HeadId(layer, head) for layer, row in wanted_heads(folder.spec, info).items() for head in row]
    left = [head for head in heads if _file(head) not in folder.finished()]
    if left:
        _Run(folder, workspace, info, sentences, events, heads).over(left)
    contents = [folder.result(_file(head)) for head in heads if _file(head) in folder.finished()]
    sources = dict.fromkeys(program["source"] for content in contents for program in content["programs"])
    if sources:
        score_programs(folder, workspace, info, sentences, list(sources), "claude", events)


def _file(head: HeadId) -> str:
    return f"{_name(head)}.json"


def _name(head: HeadId) -> str:
    return f"head-{head.layer:03}-{head.head:03}"


class _Maps(Mapping[str, np.ndarray]):
    """One head's maps, read when first needed, and forgotten while its conversation waits for a batch."""

    def __init__(self, reader: AttentionReader, head: HeadId) -> None:
        self._reader, self._head = reader, head
        self._held: dict[str, np.ndarray] | None = None

    def _read(self) -> dict[str, np.ndarray]:
        if self._held is None:
            self._held = self._reader.layer(self._head.layer, [self._head.head])
        return self._held

    def __getitem__(self, sentence: str) -> np.ndarray:
        return self._read()[sentence]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def forget(self) -> None:
        self._held = None


@dataclass
class _Head:
    """A head under way."""

    head: HeadId
    maps: _Maps
    talk: Conversation


class _Run:
    """Everything the conversations of a job share."""

    def __init__(
        self,
        folder: JobFolder,
        workspace: Path,
        info: ModelInfo,
        sentences: Sequence[Sentence],
        events: EventWriter,
        heads: Sequence[HeadId],
    ) -> None:
        self._folder, self._info, self._events = folder, info, events
        self._limits = ClaudeLimits(**folder.spec["limits"])
        self._device = device_of(folder.spec)
        self._known: Json = folder.spec.get("known", {})
        place = attention_folder(workspace, info.id)
        self._features: dict[Split, Features] = {
            split: split_features(place, list(sentences), split) for split in Split
        }
        self._attention = AttentionReader(place)
        self._shown = self._attention.restricted({s.id for s in sentences if s.split != Split.TEST})
        self._total, self._done = len(heads), 0
        self._failed = self._unasked = 0
        self._lock = threading.Lock()  # one event at a time

    def over(self, heads: Sequence[HeadId]) -> None:
        """Every head's conversation to its end; each is announced when it ends."""
        self._done = self._total - len(heads)
        settings = Settings.read(os.environ)
        with closing(connect(settings.require_api_key(), settings.base_url)) as client:
            self._progress("asking Claude")
            asker = Asker(Claude(client, self._limits), self._limits, CallLog(self._folder.path), self._paid)
            if self._limits.batches:
                self._in_batches(heads, asker)
            else:
                self._side_by_side(heads, asker)
        self._conclude(asker.budget)

    def _side_by_side(self, heads: Sequence[HeadId], asker: Asker) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = {pool.submit(self._whole, head, asker): head for head in heads}
            try:
                for future in as_completed(futures):
                    self._announce(futures[future], future.result())
            except BaseException:
                asker.close(Failure("stopped", "the job ended with an error"))
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _whole(self, head: HeadId, asker: Asker) -> Outcome:
        one = self._begin(head)
        try:
            request = next(one.talk)
            while True:
                request = one.talk.send(asker.answer(request))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def _in_batches(self, heads: Sequence[HeadId], asker: Asker) -> None:
        """The next request of every head in one batch, then the ones after them in another."""
        under_way = [self._begin(head) for head in heads]
        waiting = []
        for one in under_way:
            waiting.append((one, next(one.talk)))
            one.maps.forget()
        while waiting:
            self._progress(f"waiting for a batch of {len(waiting)} answers")
            answers = asker.answer_all([request for _, request in waiting])
            further = []
            for one, request in waiting:
                try:
                    further.append((one, one.talk.send(answers[request.name])))
                except StopIteration as end:
                    self._announce(one.head, end.value)
                one.maps.forget()
            waiting = further

    def _begin(self, head: HeadId) -> _Head:
        maps = _Maps(self._shown, head)
        train, validation = (self._features[split] for split in (Split.TRAIN, Split.VALIDATION))
        data = HeadData(head, self._info.is_causal, train, validation, maps, self._device)
        known = self._known.get(str(head))
        return _Head(head, maps, converse(data, self._limits, _BASELINES, parse(known) if known else None))

    def _announce(self, head: HeadId, outcome: Outcome) -> None:
        """A head's result; one that the budget left without any program is not done."""
        is_unasked = outcome.best is None and [f.kind for f in outcome.failures] == [BUDGET]
        self._unasked += is_unasked
        self._failed += bool(outcome.failures) and outcome.best is None and not is_unasked
        with self._lock:
            for failure in outcome.failures:
                if failure.kind != BUDGET:
                    self._events.note(f"{head}: {failure.kind}: {failure.detail}")
            if not is_unasked:
                self._events.result("programs", _name(head), self._content(head, outcome))
        self._done += 1
        self._progress("asking Claude")

    def _content(self, head: HeadId, outcome: Outcome) -> Json:
        """A head's best program and the baselines, scored on it on every split, and how it came about."""
        best = outcome.best.program if outcome.best else None
        programs = [*_BASELINES.values(), *([best] if best else [])]
        scores = self._scores(head, list({program.id: program for program in programs}.values()))
        proposals = [{"layer": head.layer, "head": head.head, "program": best.id}] if best else []
        return {
            **program_content(self._info, programs, "claude", scores),
            "proposals": proposals,
            "read": outcome.programs,
            "ious": outcome.ious,
            "failures": [asdict(failure) for failure in outcome.failures],
        }

    def _scores(self, head: HeadId, programs: Sequence[ParsedProgram]) -> list[Score]:
        maps = self._attention.layer(head.layer, [head.head])
        scores: list[Score] = []
        for split, features in self._features.items():
            produced = patterns(programs, features, self._info.is_causal)
            ious = sentence_ious(produced, maps, self._info.is_causal)
            distances = js_distances(produced, maps, self._info.is_causal) if split == Split.TEST else None
            found = summarise(produced, ious, head.layer, split, distances)
            scores += [replace(score, head=head) for score in found]
        return scores

    def _progress(self, stage: str) -> None:
        with self._lock:
            self._events.progress(stage, self._done, self._total)

    def _paid(self, budget: Budget) -> None:
        used = budget.usage
        with self._lock:
            self._events.cost(
                budget.spent,
                lost=budget.lost,
                calls=used.calls,
                input=used.input + used.cache_write,
                cached=used.cache_read,
                output=used.output,
            )

    def _conclude(self, budget: Budget) -> None:
        """Say what was paid and what is missing."""
        self._paid(budget)
        used = budget.usage
        parts = [
            f"{used.calls} calls for ${budget.spent:.4f} of ${self._limits.budget:.2f}: {used.output:,} "
            f"tokens of output, {used.input + used.cache_write:,} of input, {used.cache_read:,} cached"
        ]
        if budget.lost:
            parts.append(f"replies that never arrived may have cost up to ${budget.lost:.4f} more")
        if self._failed:
            parts.append(f"{self._failed} heads have no program because a call failed")
        if self._unasked:
            parts.append(f"{self._unasked} heads were not asked about: the budget could not hold")
        with self._lock:
            self._events.note("; ".join(parts))

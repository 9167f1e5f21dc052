"""From attention to programs that Claude proposes. Skips heads that are done, and pays for no reply twice."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.corpus import require_splits
from core.features import Features
from core.jobs.asking import Asker
from core.jobs.finding import device_of, score_programs, split_features, wanted_heads
from core.jobs.folder import EventWriter, JobFolder
from core.jobs.ledger import CallLog
from core.jobs.proposed import BASELINE_PROGRAMS, Teller, result_name
from core.language import parse
from core.settings import Settings
from core.store.attention import AttentionReader
from core.store.workspace import attention_folder
from core.synthesis.claude import Claude, Fault, connect
from core.synthesis.evidence import HeadData
from core.synthesis.refine import Conversation, Outcome, converse
from core.types import ClaudeLimits, Failure, HeadId, ModelInfo, Sentence, Split

_AT_ONCE = 4  # heads whose conversations go on side by side


def propose_programs(
    folder: JobFolder, workspace: Path, info: ModelInfo, sentences: list[Sentence], events: EventWriter
) -> None:
    """Programs for the heads the job names, then every program found scored on every head."""
    require_splits(sentences)
    heads = [HeadId(layer, head) for layer, row in wanted_heads(folder.spec, info).items() for head in row]
    left = [head for head in heads if f"{result_name(head)}.json" not in folder.finished()]
    if left:
        place = attention_folder(workspace, info.id)
        features = {split: split_features(place, sentences, split) for split in Split}
        attention = AttentionReader(place)
        limits = ClaudeLimits(**folder.spec["limits"])
        teller = Teller(events, info, limits, features, attention, len(heads))
        teller.done = len(heads) - len(left)
        shown = attention.restricted({s.id for s in sentences if s.split != Split.TEST})
        starts = _Starts(info, limits, features, shown, folder)
        _ask_about(left, starts, CallLog(folder.path), teller)
    finished = folder.finished()
    names = [f"{result_name(head)}.json" for head in heads]
    contents = [folder.result(name) for name in names if name in finished]
    sources = dict.fromkeys(program["source"] for content in contents for program in content["programs"])
    if sources:
        score_programs(folder, workspace, info, sentences, list(sources), "claude", events)


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


@dataclass(frozen=True)
class _Head:
    """A head under way."""

    head: HeadId
    maps: _Maps
    talk: Conversation


@dataclass(frozen=True)
class _Starts:
    """What every conversation of a job starts from; its reader has no test sentence."""

    info: ModelInfo
    limits: ClaudeLimits
    features: Mapping[Split, Features]
    shown: AttentionReader
    folder: JobFolder

    def begin(self, head: HeadId) -> _Head:
        """A conversation, not yet under way."""
        maps = _Maps(self.shown, head)
        train, validation = (self.features[split] for split in (Split.TRAIN, Split.VALIDATION))
        spec = self.folder.spec
        data = HeadData(head, self.info.is_causal, train, validation, maps, device_of(spec))
        known = spec["known"].get(str(head))
        talk = converse(data, self.limits, BASELINE_PROGRAMS, parse(known) if known else None)
        return _Head(head, maps, talk)


def _ask_about(heads: Sequence[HeadId], starts: _Starts, log: CallLog, teller: Teller) -> None:
    """Every head's conversation to its end; each is announced when it ends."""
    settings = Settings.read(os.environ)
    with closing(connect(settings.require_api_key(), settings.base_url)) as client:
        teller.progress("asking Claude")
        claude = Claude(client, starts.limits)
        with suppress(Fault):  # what keeps the service from counting, the calls will meet too, and report
            teller.estimate(claude.count(next(starts.begin(heads[0]).talk)))
        asker = Asker(claude, starts.limits, log, teller.paid)
        (_in_batches if starts.limits.batches else _side_by_side)(heads, starts, asker, teller)
    teller.conclude(asker.budget)


def _side_by_side(heads: Sequence[HeadId], starts: _Starts, asker: Asker, teller: Teller) -> None:
    with ThreadPoolExecutor(
        _AT_ONCE,
        initializer=torch.set_num_threads,  # of each thread alone
        initargs=(1,),
    ) as pool:
        futures = {pool.submit(_whole, starts, head, asker): head for head in heads}
        try:
            for future in as_completed(futures):
                teller.head_done(futures[future], future.result())
                teller.progress("asking Claude")
        except BaseException:
            asker.close(Failure("stopped", "the job ended with an error"))
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _whole(starts: _Starts, head: HeadId, asker: Asker) -> Outcome:
    talk = starts.begin(head).talk
    try:
        request = next(talk)
        while True:
            request = talk.send(asker.answer(request))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def _in_batches(heads: Sequence[HeadId], starts: _Starts, asker: Asker, teller: Teller) -> None:
    """The next request of every head in one batch, then the ones after them in another."""
    waiting = []
    for head in heads:
        one = starts.begin(head)
        waiting.append((one, next(one.talk)))
        one.maps.forget()
    while waiting:
        teller.progress(f"waiting for a batch of {len(waiting)} answers")
        answers = asker.answer_all([request for _, request in waiting])
        further = []
        for one, request in waiting:
            try:
                further.append((one, one.talk.send(answers[request.name])))
            except StopIteration as end:
                teller.head_done(one.head, end.value)
            one.maps.forget()
        waiting = further

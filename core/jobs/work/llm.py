"""From attention to programs that a language model proposes.

Skips heads that are done, and pays for no reply twice.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.display import counted
from core.errors import ProposerError
from core.features import Features
from core.jobs.folder import Job
from core.jobs.tasks import ProposeTask
from core.jobs.work.llm_results import BASELINE_PROGRAMS, Teller, result_name
from core.jobs.work.search import device_of, score_programs, split_features
from core.language import parse
from core.proposers import LanguageModel
from core.proposers.llm.batches import Ended
from core.proposers.llm.calls import Asker
from core.proposers.llm.conversation import Answer, Conversation, Outcome, converse
from core.proposers.llm.ledger import CallLog
from core.proposers.llm.provider import Fault, Request
from core.proposers.llm.shown import HeadData
from core.settings import Settings
from core.store.attention import AttentionReader
from core.store.workspace import attention_folder, reader_of
from core.types import Failure, HeadId, Sentence, Split

_AT_ONCE = 4  # heads whose conversations go on side by side


def propose_programs(
    job: Job[ProposeTask[Any]], origin: str, model: LanguageModel, passages: list[Sentence]
) -> None:
    """Programs for the heads the job names, then every program found scored on every head."""
    folder, events, info, heads = job.folder, job.events, job.task.info, job.task.order
    unanswered = 0
    left = [head for head in heads if f"{result_name(head)}.json" not in folder.finished()]
    if left:
        place = attention_folder(job.place.workspace, info.id)
        features = {split: split_features(place, passages, split) for split in Split}
        attention = reader_of(job.place.workspace, info.id)
        limits = job.task.limits
        teller = Teller(events, info, model, origin, limits, features, attention, len(heads))
        teller.done = len(heads) - len(left)
        shown = attention.restricted({p.id for p in passages if p.split != Split.TEST})
        starts = _Starts(job.task, features, shown, device_of(job.place))
        _ask_about(left, starts, model, CallLog(folder.path), teller)
        unanswered = teller.unanswered
    finished = folder.finished()
    names = [f"{result_name(head)}.json" for head in heads]
    results = [folder.result("programs", name) for name in names if name in finished]
    sources = dict.fromkeys(program.source for result in results for program in result.programs)
    if sources:
        score_programs(job, info, passages, list(sources), origin)
    if unanswered:
        raise ProposerError(
            f"{counted(unanswered, 'head')} got no answer, as the notes say; what was found is kept, and "
            "going on asks about the others again"
        )


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

    task: ProposeTask[Any]
    features: Mapping[Split, Features]
    shown: AttentionReader
    device: torch.device

    def begin(self, head: HeadId) -> _Head:
        """A conversation, not yet under way."""
        maps = _Maps(self.shown, head)
        train, validation = (self.features[split] for split in (Split.TRAIN, Split.VALIDATION))
        data = HeadData(
            head,
            self.task.info.is_causal,
            train,
            validation,
            maps,
            self.device,
            lambda features: self.shown.looks(features.sentences),
            self.task.info.window(head.layer),
        )

        def talk() -> Conversation:
            known = self.task.known.get(head)
            start = parse(known) if known else None
            return (yield from converse(data, self.task.limits, BASELINE_PROGRAMS, start))

        return _Head(head, maps, talk())


def _ask_about(
    heads: Sequence[HeadId], starts: _Starts, model: LanguageModel, log: CallLog, teller: Teller
) -> None:
    """Every head's conversation to its end; each is announced when it ends."""
    settings, limits = Settings.read(os.environ), starts.task.limits
    with model.connect(limits, settings) as provider:
        teller.asking()
        with suppress(Fault):  # what keeps the service from counting, the calls will meet too, and report
            teller.estimate(provider.count(next(starts.begin(heads[0]).talk)))
        if limits.batches:
            signal.signal(signal.SIGTERM, _end_once)
        try:
            asker = Asker(provider, teller.terms, log, teller.paid, settings.patience)
            (_in_batches if limits.batches else _side_by_side)(heads, starts, asker, teller)
        except Ended as end:
            if end.note:
                teller.note(end.note)
            raise
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
                teller.asking()
        except BaseException:
            asker.close(Failure("stopped", "the job ended with an error"))
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _whole(starts: _Starts, head: HeadId, asker: Asker) -> Outcome:
    talk = starts.begin(head).talk
    said = _next(talk, None)
    while isinstance(said, Request):
        said = _next(talk, asker.answer(said))
    return said


def _next(talk: Conversation, answer: Answer | None) -> Request | Outcome:
    """A conversation's next request, or its end; one that breaks down is that head's Failure alone."""
    try:
        return talk.send(answer)  # type: ignore[arg-type]  # None starts a generator
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return Outcome(failures=[Failure("error", f"{type(error).__name__}: {error}")])


def _end_once(*_: object) -> None:
    """Lets a cancelled job cancel its batch, undisturbed by being told again."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def _in_batches(heads: Sequence[HeadId], starts: _Starts, asker: Asker, teller: Teller) -> None:
    """The next request of every head in one batch, then the ones after them in another."""
    begun = [starts.begin(head) for head in heads]
    said: dict[str, Answer | None] = dict.fromkeys(map(str, heads))
    while begun:
        asked: dict[str, Request] = {}
        for one in begun:
            step = _next(one.talk, said[str(one.head)])
            one.maps.forget()
            if isinstance(step, Request):
                asked[str(one.head)] = step
            else:
                teller.head_done(one.head, step)
        begun = [one for one in begun if str(one.head) in asked]
        if begun:
            teller.progress(f"waiting for a batch of {counted(len(begun), 'answer')}")
            answers = asker.answer_all(list(asked.values()))
            said = {head: answers[request.name] for head, request in asked.items()}

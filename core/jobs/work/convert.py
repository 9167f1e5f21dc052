"""Programs of the language for what plain Python does: its matrices take the place of a head's attention."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from core.errors import ProposerError
from core.features import Features
from core.jobs.folder import Job
from core.jobs.results import ConversionsFound, NewProgram, ProgramsFound
from core.jobs.tasks import ConvertTask
from core.jobs.work.llm_results import BASELINE_PROGRAMS, tell_paid
from core.jobs.work.readings import keep_reading
from core.jobs.work.search import device_of, new_programs, score_programs, split_features
from core.language import ParsedProgram
from core.models.device import Halving
from core.proposers import LanguageModel, LayerByLayer, Material, Proposer
from core.proposers.llm.calls import Asker
from core.proposers.llm.conversation import Answer, converse
from core.proposers.llm.ledger import CallLog
from core.proposers.llm.provider import Request
from core.proposers.llm.shown import HeadData
from core.scoring import ProgramMaps, program_maps, program_of, sentence_ious
from core.scoring.intervals import mean_estimate
from core.settings import Settings
from core.store.passages import read_passages
from core.store.workspace import attention_folder
from core.types import Conversion, Estimate, HeadId, Sentence, Split

_TOGETHER = 16  # programs that are converted before what came of them is announced
_LEAST = 2  # passages of train and of validation on which a program has to run

Found = Sequence[ParsedProgram | str]  # a program, or why there is none


@dataclass(frozen=True)
class _Targets:
    """Plain programs that run on the same passages, and what they give there."""

    programs: Sequence[ParsedProgram]
    train: Features
    validation: Features
    maps: dict[str, np.ndarray]  # of each passage of both, float32 [program, query, key]


def convert_programs(job: Job[ConvertTask[Any]], proposer: Proposer) -> None:
    """A program of the language for each that the task names, what they share, and scores on every head."""
    task, events = job.task, job.events
    passages = read_passages(job.place.workspace, task.passages)
    keep_reading(job, task.info, passages)
    plain = [program_of(source) for source in task.programs]
    blocks = [plain[at : at + _TOGETHER] for at in range(0, len(plain), _TOGETHER)]
    names = [f"converted-{at:04}" for at in range(len(blocks))]
    for at, (name, block) in enumerate(zip(names, blocks, strict=True)):
        events.progress("converting", at * _TOGETHER, len(plain))
        if f"{name}.json" not in job.folder.finished():
            _convert(job, proposer, passages, block, name, at * _TOGETHER)
    found = [job.folder.result("programs", f"{name}-programs.json") for name in names]
    sources = dict.fromkeys(program.source for result in found for program in result.programs)
    if sources:
        score_programs(job, task.info, passages, list(sources), proposer.name)


def _convert(
    job: Job[ConvertTask[Any]],
    proposer: Proposer,
    passages: list[Sentence],
    block: Sequence[ParsedProgram],
    name: str,
    first: int,
) -> None:
    """One block of programs, as two results; `first` is the place of its first among all."""
    info = job.task.info
    place = attention_folder(job.place.workspace, info.id)
    features = {split: split_features(place, passages, split) for split in Split}
    produced = {split: program_maps(block, found, info.is_causal) for split, found in features.items()}
    found: dict[str, ParsedProgram | str] = {}
    for targets in _targets(block, features, produced):
        if min(len(targets.train), len(targets.validation)) < _LEAST:
            told = f"it runs on fewer than {_LEAST} passages of train or validation"
            found |= {program.id: told for program in targets.programs}
            continue
        results = _proposed(job, proposer, targets, first + len(found))
        found |= {program.id: one for program, one in zip(targets.programs, results, strict=True)}
    conversions = [
        _compared(produced, features, program, at, found[program.id]) for at, program in enumerate(block)
    ]
    parents = {one.id: plain for plain, one in found.items() if not isinstance(one, str)}
    programs = {one.id: one for one in found.values() if not isinstance(one, str)}
    written = new_programs(list(programs.values()), proposer.name)
    job.events.result(
        f"{name}-programs",
        ProgramsFound(
            info.id,
            tuple(
                NewProgram(new.source, new.origin, parents[program])
                for program, new in zip(programs, written, strict=True)
            ),
        ),
    )
    job.events.result(name, ConversionsFound(info.id, tuple(conversions)))


def _targets(
    block: Sequence[ParsedProgram], features: dict[Split, Features], produced: dict[Split, ProgramMaps]
) -> Iterator[_Targets]:
    """The programs by the passages that they run on: those on which one fails say nothing of it."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    splits = (Split.TRAIN, Split.VALIDATION)
    for at in range(len(block)):
        rows = tuple(
            tuple(row for row in range(len(features[split])) if (at, row) not in produced[split].failures)
            for split in splits
        )
        groups.setdefault(rows, []).append(at)
    for rows, members in groups.items():
        maps: dict[str, np.ndarray] = {}
        for split, own in zip(splits, rows, strict=True):
            for row in own:
                stacked = np.stack([produced[split].map_of(at, row) for at in members])
                maps[produced[split].sentences[row]] = stacked
        train, validation = (features[split].select(own) for split, own in zip(splits, rows, strict=True))
        yield _Targets([block[at] for at in members], train, validation, maps)


def _proposed(job: Job[ConvertTask[Any]], proposer: Proposer, targets: _Targets, first: int) -> Found:
    way = proposer.way
    if isinstance(way, LayerByLayer):
        return _by_layers(job, way, targets)
    return _by_talk(job, way, targets, first)


def _by_layers(job: Job[ConvertTask[Any]], way: LayerByLayer, targets: _Targets) -> Found:
    """What a proposer that reads layers finds where the programs are the heads of the only one."""
    limits = job.task.limits
    if any(one.name == "look" for one in fields(limits)):
        limits = replace(limits, look="none")  # there are no other heads
    material = Material(
        targets.train,
        targets.validation,
        job.task.info.is_causal,
        device_of(job.place),
        Halving(job.events.note),
        lambda layer: targets.maps,
    )
    heads = list(range(len(targets.programs)))
    ((_, found),) = way.prepare(material, limits).over_layers({0: heads})
    return [
        "the program found looks at heads, which plain Python does not" if one.looks else one for one in found
    ]


def _by_talk(job: Job[ConvertTask[Any]], model: LanguageModel, targets: _Targets, first: int) -> Found:
    """What a language model writes that is shown each program's text, and where its own differ from it."""
    limits, events, settings = job.task.limits, job.events, Settings.read(os.environ)
    terms = model.terms(limits)
    found: list[ParsedProgram | str] = []
    with model.connect(limits, settings) as provider:
        tell = partial(tell_paid, events, terms)
        asker = Asker(provider, terms, CallLog(job.folder.path), tell, settings.patience)
        for at, program in enumerate(targets.programs):
            data = HeadData(
                HeadId(0, first + at),  # a name for its calls
                job.task.info.is_causal,
                targets.train,
                targets.validation,
                {sentence: maps[at : at + 1] for sentence, maps in targets.maps.items()},
                device_of(job.place),
            )
            found.append(_talked(data, limits, program, asker.answer))
    return found


def _talked(
    data: HeadData, limits: Any, program: ParsedProgram, answer: Callable[[Request], Answer]
) -> ParsedProgram | str:
    talk = converse(data, limits, BASELINE_PROGRAMS, plain=program.source)
    said: Answer | None = None
    while True:
        try:
            said = answer(talk.send(said))  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as end:
            outcome = end.value
            break
    if outcome.best is not None:
        best: ParsedProgram = outcome.best.program
        return best
    if not outcome.failures:
        raise ProposerError("the conversation ended without a program and without a reason")
    return f"{outcome.failures[-1].kind}: {outcome.failures[-1].detail}"


def _compared(
    produced: dict[Split, ProgramMaps],
    features: dict[Split, Features],
    plain: ParsedProgram,
    at: int,
    found: ParsedProgram | str,
) -> Conversion:
    """How much both programs share on the test passages on which the plain one runs."""
    maps = produced[Split.TEST]
    rows = [row for row in range(len(maps.sentences)) if (at, row) not in maps.failures]
    if isinstance(found, str) or not rows:
        why = found if isinstance(found, str) else "it runs on no test passage"
        return Conversion(plain.id, None, Estimate(math.nan), 0, why)
    own = features[Split.TEST].select(rows)
    theirs = {maps.sentences[row]: maps.map_of(at, row)[None] for row in rows}
    ious = sentence_ious(program_maps([found], own, maps.is_causal), theirs)[0, 0]
    return Conversion(plain.id, found.id, mean_estimate(ious), len(rows))

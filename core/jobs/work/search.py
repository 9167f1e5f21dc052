"""From attention to programs and their scores. Skips layers that are already done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.corpus import require_splits
from core.features import Features
from core.jobs.crew import Bench, Stage, Station
from core.jobs.folder import Job
from core.jobs.place import Place
from core.jobs.results import NewProgram, ProgramsFound
from core.jobs.tasks import ProposeTask
from core.jobs.work.readings import carried, keep_reading
from core.jobs.work.sizes import SizesWritten
from core.language import ParsedProgram, PlainProgram, parse
from core.maps import cell_sum
from core.models.device import Halving, pick_device
from core.proposers import PROPOSERS, LayerByLayer, Layers, Material, Proposer
from core.scoring import BASELINES, ProgramMaps, in_blocks, program_maps, program_of, score
from core.store.attention import AttentionReader
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder, reader_of
from core.types import FailedPassages, HeadId, ModelInfo, Score, Sentence, Split


def find_programs(
    job: Job[Any], task: ProposeTask[Any], proposer: Proposer, passages: list[Sentence]
) -> None:
    """A program for every head asked for, then every program found scored on every head."""
    search_programs(job, task, proposer, passages)
    layers = [job.folder.result("programs", f"{_layer_name(layer)}.json") for layer in wanted_heads(task)]
    sources = dict.fromkeys(program.source for layer in layers for program in layer.programs)
    score_programs(job, task.info, passages, list(sources), proposer.name)


def search_programs(
    job: Job[Any], task: ProposeTask[Any], proposer: Proposer, passages: list[Sentence]
) -> None:
    """A program for every head the task names; each layer is scored and announced when it is done."""
    require_splits(passages)
    events, info, finished = job.events, task.info, job.folder.finished()
    heads = wanted_heads(task)
    left = [layer for layer in heads if f"{_layer_name(layer)}.json" not in finished]
    if not left:
        return
    place = attention_folder(job.place.workspace, info.id)
    features = {split: split_features(place, passages, split) for split in Split}
    total = sum(map(len, heads.values()))
    done = total - sum(len(heads[layer]) for layer in left)
    events.progress("preparing candidate programs", done, total)
    attention = reader_of(job.place.workspace, info.id)
    searching = _Searching(job.place, info, proposer.name, task.limits, features, attention)
    stage = Stage("finding programs", searching)
    for name, found in job.crew.run(stage, {_layer_name(layer): (layer, heads[layer]) for layer in left}):
        events.result(name, replace(found.programs, scores=events.scores(name, found.scores)))
        done += len(found.programs.proposals)
        events.progress("finding programs", done, total)


@dataclass(frozen=True)
class _Scored:
    """Programs, with scores that are not written down yet."""

    programs: ProgramsFound
    scores: list[Score]


_Heads = tuple[int, list[int]]  # a layer, and heads of it


@dataclass(frozen=True)
class _Searching:
    """Finds programs and scores them; a unit is a layer's heads.

    The search is handed train and validation; scoring on test follows the choice.
    """

    place: Place
    info: ModelInfo
    proposer: str  # by name: what its entry holds need not travel
    limits: Any
    features: dict[Split, Features]
    attention: AttentionReader

    def __call__(self, bench: Bench) -> Station[_Heads, _Scored]:
        attention = self.attention
        splits = (self.features[Split.TRAIN], self.features[Split.VALIDATION])
        chooser = attention.restricted({name for split in splits for name in split.sentences})

        def read(layer: int) -> dict[str, np.ndarray]:
            return chooser.layer(layer) if layer in self.info.attention_layers else {}

        device = device_of(self.place)
        sizes = SizesWritten(self.place, self.info, bench, splits)
        material = Material(
            *splits, self.info.is_causal, device, Halving(bench.told.note), read, sizes.of_layer
        )
        search = _prepared(PROPOSERS[self.proposer], material, self.limits)
        bench.told.note(search.describe())

        def work(unit: _Heads) -> _Scored:
            layer, heads = unit
            ((_, programs),) = search.over_layers({layer: heads})
            chosen = dict(zip(heads, programs, strict=True))
            return _scored(layer, chosen, self.features, attention, self.info, self.proposer)

        return Station(work, side_by_side=device.type == "cpu")


def _prepared(proposer: Proposer, material: Material, limits: Any) -> Layers:
    if not isinstance(proposer.way, LayerByLayer):
        raise TypeError(f"{proposer.name} does not propose layer by layer")
    return proposer.way.prepare(material, limits)


def device_of(place: Place) -> torch.device:
    """Where programs are evaluated: MPS lacks the 64-bit numbers that powers are computed in."""
    device = pick_device(place.device)
    return torch.device("cpu") if device.type == "mps" else device


def wanted_heads(task: ProposeTask[Any]) -> dict[int, list[int]]:
    """Layer -> its heads that a task is about; all heads if it names none."""
    heads: dict[int, list[int]] = {}
    for head in task.info.head_ids() if task.heads is None else task.heads:
        heads.setdefault(head.layer, []).append(head.head)
    return heads


def score_programs(
    job: Job[Any], info: ModelInfo, passages: list[Sentence], sources: Sequence[str], origin: str
) -> None:
    """Score given programs on every head and split; `origin` is that of new ones.

    Programs are taken in blocks and a layer's heads too, so that what is held at once does not grow with
    the library or the model: at most MAX_CELLS cells of each, and less where the device does not hold that.
    """
    events, finished = job.events, job.folder.finished()
    place = attention_folder(job.place.workspace, info.id)
    parsed = [program_of(source) for source in sources]
    if any(isinstance(program, PlainProgram) for program in parsed):
        keep_reading(job, info, passages)
    held = {split: split_features(place, passages, split) for split in Split}
    features = {split: carried(found, parsed) for split, found in held.items() if len(found)}
    cells = sum(cell_sum(found.lengths, info.is_causal) for found in features.values())
    units: dict[str, _Block] = {}
    for block in in_blocks(range(len(parsed)), cells):
        first = f"scores-{block[0]:04}-{len(block):04}"
        of_block = {f"{first}-{layer:03}": (block, layer) for layer in info.attention_layers}
        left = {name: unit for name, unit in of_block.items() if f"{name}.json" not in finished}
        if left and f"{first}.json" not in finished:
            programs = [parsed[at] for at in block]
            events.result(first, ProgramsFound(info.id, new_programs(programs, origin)))
        units |= left
    total = len(parsed) * len(info.attention_layers)
    done = total - sum(len(block) for block, _ in units.values())
    events.progress("scoring the library", done, total)
    attention = reader_of(job.place.workspace, info.id)
    stage = Stage(
        "scoring the library", _Scoring(job.place, info, tuple(sources), features, cells, attention)
    )
    for name, (scores, failures) in job.crew.run(stage, units):
        told = f"{name.rpartition('-')[0]}-failures"  # the same whatever the layer
        if failures and f"{told}.json" not in finished:
            finished.add(f"{told}.json")
            events.result(told, ProgramsFound(info.id, failures=failures))
        events.result(name, ProgramsFound(info.id, scores=events.scores(name, scores)))
        done += len(units[name][0])
        events.progress("scoring the library", done, total)


_Block = tuple[Sequence[int], int]  # places of programs, and a layer
_OfBlock = tuple[list[Score], tuple[FailedPassages, ...]]


@dataclass(frozen=True)
class _Scoring:
    """Scores programs; a unit is a block of them on the heads of a layer.

    A block's maps are kept for its next layer. Where the device's memory runs out they are made in parts.
    """

    place: Place
    info: ModelInfo
    sources: tuple[str, ...]
    features: dict[Split, Features]
    cells: int
    attention: AttentionReader

    def __call__(self, bench: Bench) -> Station[_Block, _OfBlock]:
        attention = self.attention
        device, halving = device_of(self.place), Halving(bench.told.note)
        parsed = [program_of(source) for source in self.sources]
        looking = {program.id: program for program in parsed if program.looks}

        def available(score: Score) -> bool:
            return score.program not in looking or looking[score.program].may_stand_for(score.head)

        held: dict[tuple[int, ...], dict[Split, ProgramMaps]] = {}

        def produced(part: tuple[int, ...]) -> dict[Split, ProgramMaps]:
            if part not in held:
                held.clear()  # its memory first
                programs = [parsed[at] for at in part]
                held[part] = {
                    split: program_maps(
                        programs, found, self.info.is_causal, device, attention.looks(found.sentences)
                    )
                    for split, found in self.features.items()
                }
            return held[part]

        def work(unit: _Block) -> _OfBlock:
            block, layer = unit

            def score_part(part: Sequence[int]) -> _OfBlock:
                maps = produced(tuple(part))
                return self._scores(maps, attention, layer), failed_passages(maps.values())

            scores, failures = list[Score](), list[FailedPassages]()
            for _, (of_part, failed) in halving.run(block, score_part):
                scores += [score for score in of_part if available(score)]
                failures += failed
            return scores, tuple(failures)

        return Station(work)

    def _scores(
        self, produced: Mapping[Split, ProgramMaps], attention: AttentionReader, layer: int
    ) -> list[Score]:
        scores: list[Score] = []
        for block in in_blocks(range(self.info.heads), 2 * self.cells):  # maps are read as whole squares
            maps = attention.layer(layer, block)
            heads = [HeadId(layer, head) for head in block]
            for split, found in produced.items():
                scores += score(found, maps, heads, split, self.info.window(layer))
        return scores


def failed_passages(produced: Iterable[ProgramMaps]) -> tuple[FailedPassages, ...]:
    """How often programs failed in each way, on the passages of all splits together."""
    counts, details = Counter[tuple[str, str]](), dict[tuple[str, str], str]()
    for maps in produced:
        for (program, _), failure in maps.failures.items():
            way = maps.programs[program], failure.kind
            counts[way] += 1
            details.setdefault(way, failure.detail)
    return tuple(FailedPassages(*way, details[way], count) for way, count in counts.items())


def _layer_name(layer: int) -> str:
    return f"layer-{layer:03}"


def split_features(place: Path, passages: list[Sentence], split: Split) -> Features:
    """The features of a split's passages, in order."""
    return TokenStore(place).read([passage.id for passage in passages if passage.split == split])


def _scored(
    layer: int,
    chosen: dict[int, ParsedProgram],
    features: dict[Split, Features],
    attention: AttentionReader,
    info: ModelInfo,
    origin: str,
) -> _Scored:
    """Scores on every split of a layer's chosen programs, each on its head, and of the baselines on all.

    The Jensen-Shannon distance is measured on test, where it is shown.
    """
    baselines = [parse(source) for source in BASELINES.values()]
    distinct = list({program.id: program for program in [*baselines, *chosen.values()]}.values())
    heads = [HeadId(layer, head) for head in range(info.heads)]
    wanted = {(program.id, head) for program in baselines for head in heads}
    wanted |= {(program.id, heads[head]) for head, program in chosen.items()}
    maps = attention.layer(layer)
    scores: list[Score] = []
    for split, split_features in features.items():
        looks = attention.looks(split_features.sentences)
        produced = program_maps(distinct, split_features, info.is_causal, looks=looks)
        found = score(produced, maps, heads, split, info.window(layer), with_js=split == Split.TEST)
        scores += [reached for reached in found if (reached.program, reached.head) in wanted]
    proposals = tuple((heads[head], program.id) for head, program in chosen.items())
    return _Scored(ProgramsFound(info.id, new_programs(distinct, origin), proposals), scores)


def new_programs(programs: Sequence[ParsedProgram], origin: str) -> tuple[NewProgram, ...]:
    """Programs under who wrote them; baselines are nobody's."""
    baselines = {parse(source).id for source in BASELINES.values()}
    return tuple(
        NewProgram(program.source, "baseline" if program.id in baselines else origin) for program in programs
    )

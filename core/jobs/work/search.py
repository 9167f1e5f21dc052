"""From attention to programs and their scores. Skips layers that are already done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.corpus import require_splits
from core.features import Features
from core.jobs.folder import EventWriter, Job, Place
from core.jobs.results import NewProgram, ProgramsFound
from core.jobs.tasks import ProposeTask
from core.jobs.work.readings import keep_reading
from core.jobs.work.sizes import SizesWritten
from core.language import ParsedProgram, PlainProgram, parse
from core.maps import cell_sum
from core.models.device import Halving, pick_device
from core.proposers import LayerByLayer, Layers, Material, Proposer
from core.scoring import BASELINES, ProgramMaps, in_blocks, program_maps, program_of, score
from core.store.attention import AttentionReader
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
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
    """A program for every head the task names, layer by layer; each layer is scored and announced when done.

    The search is handed train and validation; scoring on test follows the choice.
    """
    require_splits(passages)
    events, info, finished = job.events, task.info, job.folder.finished()
    heads = wanted_heads(task)
    left = [layer for layer in heads if f"{_layer_name(layer)}.json" not in finished]
    if not left:
        return
    place = attention_folder(job.place.workspace, info.id)
    attention = AttentionReader(place)
    features = {split: split_features(place, passages, split) for split in Split}
    chooser = attention.restricted({passage.id for passage in passages if passage.split != Split.TEST})
    events.progress("preparing candidate programs", 0, 0)
    splits = (features[Split.TRAIN], features[Split.VALIDATION])

    def read(layer: int) -> dict[str, np.ndarray]:
        return chooser.layer(layer) if layer in info.attention_layers else {}

    sizes = SizesWritten(job, splits)
    material = Material(
        *splits, info.is_causal, device_of(job.place), Halving(events.note), read, sizes.of_layer
    )
    search = _prepared(proposer, material, task.limits)
    events.note(search.describe())

    total = sum(map(len, heads.values()))
    done = total - sum(len(heads[layer]) for layer in left)
    events.progress("finding programs", done, total)
    for layer, programs in search.over_layers({layer: heads[layer] for layer in left}):
        chosen = dict(zip(heads[layer], programs, strict=True))
        events.result(
            _layer_name(layer), _scored(layer, chosen, features, attention, info, events, proposer.name)
        )
        done += len(chosen)
        events.progress("finding programs", done, total)


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
    events, finished, device = job.events, job.folder.finished(), device_of(job.place)
    place = attention_folder(job.place.workspace, info.id)
    attention = AttentionReader(place)
    held = {split: split_features(place, passages, split) for split in Split}
    features = {split: found for split, found in held.items() if len(found)}
    cells = sum(cell_sum(found.lengths, info.is_causal) for found in features.values())
    parsed = [program_of(source) for source in sources]
    if any(isinstance(program, PlainProgram) for program in parsed):
        keep_reading(job, info, passages)
    halving = Halving(events.note)
    looking = {program.id: program for program in parsed if program.looks}

    def available(program: str, head: HeadId) -> bool:
        return program not in looking or looking[program].may_stand_for(head)

    def score_part(part: Sequence[int]) -> None:
        first = f"scores-{part[0]:04}-{len(part):04}"
        names = {layer: f"{first}-{layer:03}" for layer in info.attention_layers}
        if all(f"{name}.json" in finished for name in names.values()):
            return
        programs = [parsed[at] for at in part]
        if f"{first}.json" not in finished:
            events.result(first, ProgramsFound(info.id, new_programs(programs, origin)))
        produced = {
            split: program_maps(programs, found, info.is_causal, device, attention.looks(found.sentences))
            for split, found in features.items()
        }
        if f"{first}-failures.json" not in finished and (failures := failed_passages(produced.values())):
            events.result(f"{first}-failures", ProgramsFound(info.id, failures=failures))
        for at, (layer, name) in enumerate(names.items()):
            if f"{name}.json" not in finished:
                scores: list[Score] = []
                for block in in_blocks(range(info.heads), 2 * cells):  # maps are read as whole squares
                    maps = attention.layer(layer, block)
                    heads = [HeadId(layer, head) for head in block]
                    for split, found in produced.items():
                        scores += [
                            one
                            for one in score(found, maps, heads, split, info.window(layer))
                            if available(one.program, one.head)
                        ]
                events.result(name, ProgramsFound(info.id, scores=events.scores(name, scores)))
            done = part[0] * len(names) + len(part) * (at + 1)
            events.progress("scoring the library", done, len(parsed) * len(names))

    for block in in_blocks(range(len(parsed)), cells):
        for _ in halving.run(block, score_part):
            pass


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
    events: EventWriter,
    origin: str,
) -> ProgramsFound:
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
    return ProgramsFound(
        info.id,
        new_programs(distinct, origin),
        tuple((heads[head], program.id) for head, program in chosen.items()),
        events.scores(_layer_name(layer), scores),
    )


def new_programs(programs: Sequence[ParsedProgram], origin: str) -> tuple[NewProgram, ...]:
    """Programs under who wrote them; baselines are nobody's."""
    baselines = {parse(source).id for source in BASELINES.values()}
    return tuple(
        NewProgram(program.source, "baseline" if program.id in baselines else origin) for program in programs
    )

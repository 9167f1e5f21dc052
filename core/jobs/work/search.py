"""From attention to programs and their scores. Skips layers that are already done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from core.corpus import require_splits
from core.features import Features
from core.jobs.folder import EventWriter, JobFolder, Json
from core.language import ParsedProgram, parse
from core.maps import cell_sum
from core.models.device import Halving, pick_device
from core.proposers.search.propose import prepare_search
from core.scoring import BASELINES, in_blocks, program_maps, score
from core.store.attention import AttentionReader
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import HeadId, ModelInfo, Score, SearchLimits, Sentence, Split


def find_programs(
    folder: JobFolder,
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    events: EventWriter,
) -> None:
    """A program for every head asked for, then every program found scored on every head."""
    search_programs(folder, workspace, info, sentences, events)
    layers = [folder.result(f"{_layer_name(layer)}.json") for layer in wanted_heads(folder.spec, info)]
    sources = {program["source"]: None for content in layers for program in content["programs"]}
    score_programs(folder, workspace, info, sentences, list(sources), "search", events)


def search_programs(
    folder: JobFolder, workspace: Path, info: ModelInfo, sentences: list[Sentence], events: EventWriter
) -> None:
    """A program for every head the job names, layer by layer; each layer is scored and announced when done.

    The search is handed train and validation; scoring on test follows the choice.
    """
    require_splits(sentences)
    spec, finished = folder.spec, folder.finished()
    heads = wanted_heads(spec, info)
    left = [layer for layer in heads if f"{_layer_name(layer)}.json" not in finished]
    if not left:
        return
    place = attention_folder(workspace, info.id)
    attention = AttentionReader(place)
    features = {split: split_features(place, sentences, split) for split in Split}
    chooser = attention.restricted({s.id for s in sentences if s.split != Split.TEST})
    events.progress("preparing candidate programs", 0, 0)
    limits = SearchLimits(**spec["limits"]) if spec.get("limits") else SearchLimits()
    device = device_of(spec)
    search = prepare_search(
        features[Split.TRAIN],
        features[Split.VALIDATION],
        info.is_causal,
        limits,
        device,
        Halving(events.note),
    )
    events.note(f"choosing from {search.rules:,} rules and sets of words, on {device}")

    def read(layer: int) -> dict[str, np.ndarray]:
        return chooser.layer(layer, heads[layer])

    total = sum(map(len, heads.values()))
    done = total - sum(len(heads[layer]) for layer in left)
    events.progress("finding programs", done, total)
    for layer, found in search.over_layers(left, read):
        chosen = dict(zip(heads[layer], found, strict=True))
        events.result("programs", _layer_name(layer), _scored(layer, chosen, features, attention, info))
        done += len(chosen)
        events.progress("finding programs", done, total)


def device_of(spec: Json) -> torch.device:
    """Where programs are evaluated: MPS lacks the 64-bit numbers that powers are computed in."""
    device = pick_device(spec["device"])
    return torch.device("cpu") if device.type == "mps" else device


def wanted_heads(spec: Json, info: ModelInfo) -> dict[int, list[int]]:
    """Layer -> its heads that a job is about; all heads if it names none."""
    names = spec.get("heads")
    if names is None:
        return {layer: list(range(info.heads)) for layer in range(info.layers)}
    heads: dict[int, list[int]] = {}
    for head in sorted(map(HeadId.parse, names)):
        heads.setdefault(head.layer, []).append(head.head)
    return heads


def score_programs(
    folder: JobFolder,
    workspace: Path,
    info: ModelInfo,
    sentences: list[Sentence],
    sources: list[str],
    origin: str,
    events: EventWriter,
) -> None:
    """Score given programs on every head and split; `origin` is that of new ones.

    Programs are taken in blocks and a layer's heads too, so that what is held at once does not grow with
    the library or the model: at most MAX_CELLS cells of each, and less where the device does not hold that.
    """
    finished, device = folder.finished(), device_of(folder.spec)
    place = attention_folder(workspace, info.id)
    attention = AttentionReader(place)
    held = {split: split_features(place, sentences, split) for split in Split}
    features = {split: found for split, found in held.items() if len(found)}
    cells = sum(cell_sum(found.lengths, info.is_causal) for found in features.values())
    parsed = [parse(source) for source in sources]
    halving = Halving(events.note)

    def score_part(part: Sequence[int]) -> None:
        first = f"scores-{part[0]:04}-{len(part):04}"
        names = [f"{first}-{layer:03}" for layer in range(info.layers)]
        if all(f"{name}.json" in finished for name in names):
            return
        programs = [parsed[at] for at in part]
        produced = {
            split: program_maps(programs, found, info.is_causal, device) for split, found in features.items()
        }
        for layer, name in enumerate(names):
            if f"{name}.json" not in finished:
                scores: list[Score] = []
                for block in in_blocks(range(info.heads), 2 * cells):  # maps are read as whole squares
                    maps = attention.layer(layer, block)
                    heads = [HeadId(layer, head) for head in block]
                    for split, found in produced.items():
                        scores += score(found, maps, heads, split)
                events.result("programs", name, program_content(info, programs, origin, scores))
            done = part[0] * info.layers + len(part) * (layer + 1)
            events.progress("scoring the library", done, len(parsed) * info.layers)

    for block in in_blocks(range(len(parsed)), cells):
        for _ in halving.run(block, score_part):
            pass


def _layer_name(layer: int) -> str:
    return f"layer-{layer:03}"


def split_features(place: Path, sentences: list[Sentence], split: Split) -> Features:
    """The features of a split's sentences, in order."""
    return TokenStore(place).read([sentence.id for sentence in sentences if sentence.split == split])


def _scored(
    layer: int,
    chosen: dict[int, ParsedProgram],
    features: dict[Split, Features],
    attention: AttentionReader,
    info: ModelInfo,
) -> Json:
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
        produced = program_maps(distinct, split_features, info.is_causal)
        found = score(produced, maps, heads, split, with_js=split == Split.TEST)
        scores += [reached for reached in found if (reached.program, reached.head) in wanted]
    proposals = [{"layer": layer, "head": head, "program": program.id} for head, program in chosen.items()]
    return {**program_content(info, distinct, "search", scores), "proposals": proposals}


def program_content(
    info: ModelInfo, programs: Sequence[ParsedProgram], origin: str, scores: list[Score]
) -> Json:
    """A result file: programs and their scores."""
    baselines = {parse(source).id for source in BASELINES.values()}
    return {
        "model": info.id,
        "programs": [
            {"source": program.source, "origin": "baseline" if program.id in baselines else origin}
            for program in programs
        ],
        "scores": [_plain(score) for score in scores],
    }


def _plain(score: Score) -> Json:
    return {**asdict(score), "iou": score.iou.value, "low": score.iou.low, "high": score.iou.high}

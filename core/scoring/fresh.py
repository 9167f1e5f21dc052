"""Programs scored on passages that are not in the workspace: nothing is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.errors import CorpusError
from core.features import LEAST_TOKENS, annotate
from core.language import ParsedProgram, parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring.baselines import BASELINES
from core.scoring.intervals import mean_estimate
from core.scoring.reading import program_of
from core.scoring.resolved import Resolved
from core.scoring.scores import ProgramMaps, program_maps, sentence_ious, summarise
from core.types import BestProgram, Failure, HeadId, Sentence, SentenceAttention, Split


def _looks_on(attention: SentenceAttention, layers: Sequence[int]) -> dict[HeadId, list[np.ndarray]]:
    """What programs look at on one passage; `layers` are the numbers of those that have heads."""
    return {
        HeadId(layer, head): [own]
        for layer, maps in zip(layers, attention.weights, strict=True)
        for head, own in enumerate(maps)
    }


def rescore(
    loaded: LoadedModel,
    best: Sequence[BestProgram],
    sentences: list[Sentence],
    behind: Mapping[HeadId, ParsedProgram],
) -> list[BestProgram]:
    """The same programs for the same heads, with scores and baselines on these sentences instead.

    Resolved, they read what the programs `behind` of the heads say that they look at.
    """
    info = loaded.info
    features = annotate(sentences, loaded.tokenizer, loaded.embeddings(), info.longest, loaded.pipeline)
    features = features.select([row for row, n in enumerate(features.lengths) if n >= LEAST_TOKENS])
    if not len(features):
        raise CorpusError(
            f"no passage has {LEAST_TOKENS} tokens, so there is nothing to score; give longer text"
        )
    baselines = [parse(source) for source in BASELINES.values()]
    own = {found.score.head: program_of(found.program.source) for found in best}
    chosen = {program.id: program for program in own.values()}
    programs = [*baselines, *(p for name, p in chosen.items() if name not in {b.id for b in baselines})]
    layers = info.attention_layers
    ious = np.zeros((len(layers), len(programs), info.heads, len(features)), np.float32)
    resolved = np.zeros((len(layers), info.heads, len(features)), np.float32)
    failures: dict[tuple[int, int], Failure] = {}
    for attention in extract(loaded, features, range(len(features))):
        row = features.row(attention.sentence)
        one = features.select([row])
        cells = program_maps(programs, one, info.is_causal, looks=_looks_on(attention, layers))
        failures |= {(program, row): failure for (program, _), failure in cells.failures.items()}
        alone = Resolved(behind, one, info.is_causal)
        for at, layer in enumerate(layers):
            window = info.window(layer)
            maps = {attention.sentence: attention.weights[at].astype(np.float32)}
            ious[at, :, :, row] = sentence_ious(cells.within(window), maps)[:, :, 0]
            for head in (head for head in own if head.layer == layer):
                stands = head in behind and behind[head].id == own[head].id
                found = alone.produced(head) if stands else alone.of([own[head]])
                reached = sentence_ious(found.within(window), maps)[0, head.head, 0]
                resolved[at, head.head, row] = reached
    names = tuple(program.id for program in programs)
    produced = ProgramMaps(names, features.sentences, (), failures, info.is_causal)
    heads = [[HeadId(layer, head) for head in range(info.heads)] for layer in layers]
    scores = {
        (score.program, score.head): score
        for at in range(len(layers))
        for score in summarise(produced, ious[at], heads[at], Split.TEST)
    }
    return [
        replace(
            found,
            score=replace(scores[found.program.id, found.score.head], js_distance=math.nan),
            resolved=mean_estimate(resolved[layers.index(found.score.head.layer), found.score.head.head]),
            baseline=max(scores[baseline.id, found.score.head].iou.value for baseline in baselines),
        )
        for found in best
    ]

"""Programs scored on passages that are not in the workspace: nothing is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.features import annotate
from core.language import parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring.baselines import BASELINES
from core.scoring.scores import program_maps, sentence_ious, summarise
from core.types import BestProgram, HeadId, Sentence, Split


def rescore(loaded: LoadedModel, best: Sequence[BestProgram], sentences: list[Sentence]) -> list[BestProgram]:
    """The same programs for the same heads, with scores and baselines on these sentences instead."""
    info = loaded.info
    features = annotate(sentences, loaded.tokenizer, loaded.embeddings(), info.max_length, loaded.pipeline)
    baselines = [parse(source) for source in BASELINES.values()]
    chosen = {found.program.id: parse(found.program.source) for found in best}
    programs = [*baselines, *(p for name, p in chosen.items() if name not in {b.id for b in baselines})]
    produced = program_maps(programs, features, info.is_causal)
    row_of = {sentence: row for row, sentence in enumerate(produced.sentences)}
    ious = np.zeros((info.layers, len(programs), info.heads, len(features)), np.float32)
    for attention in extract(loaded, features, range(len(features))):
        row = row_of[attention.sentence]
        cells = produced.of_sentence(row)
        for layer in range(info.layers):
            maps = {attention.sentence: attention.weights[layer].astype(np.float32)}
            ious[layer, :, :, row] = sentence_ious(cells, maps)[:, :, 0]
    heads = [[HeadId(layer, head) for head in range(info.heads)] for layer in range(info.layers)]
    scores = {
        (score.program, score.head): score
        for layer in range(info.layers)
        for score in summarise(produced, ious[layer], heads[layer], Split.TEST)
    }
    return [
        replace(
            found,
            score=replace(scores[found.program.id, found.score.head], js_distance=math.nan),
            baseline=max(scores[baseline.id, found.score.head].iou.value for baseline in baselines),
        )
        for found in best
    ]

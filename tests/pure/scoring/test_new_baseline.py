"""A baseline is one entry: whatever scores, proposes or tells baselines apart knows it."""

from __future__ import annotations

import numpy as np
import pytest

from core.features import annotate
from core.jobs.work.search import new_programs
from core.language import parse
from core.proposers import SearchLimits
from core.proposers.search.propose import prepare_search
from core.scoring import BASELINES, program_maps, score
from core.types import HeadId, Sentence, Split
from tests import tiny

SECOND = '''def attend(q, k):
    """Everything rests on the second token."""
    return k.index == 1
'''


def test_a_new_baseline_is_scored_told_apart_and_kept_where_nothing_beats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BASELINES, "second token", SECOND)
    assert [program.origin for program in new_programs([parse(SECOND)], "search")] == ["baseline"]
    texts = ["a b c d", "b a d c", "c d a b"]
    features = annotate([Sentence(text, text, "text", Split.TRAIN) for text in texts], tiny.tokenizer())
    maps = {}
    for name, n in zip(features.sentences, features.lengths, strict=True):
        head = np.zeros((1, n, n), np.float32)
        head[0, 0, 0], head[0, 1:, 1] = 1, 1
        maps[name] = head
    programs = [parse(source) for source in BASELINES.values()]
    scores = score(program_maps(programs, features, True), maps, [HeadId(0, 0)], Split.TRAIN)
    best = max(scores, key=lambda one: one.iou.value)
    assert (best.program, best.iou.value) == (parse(SECOND).id, 1.0)
    (chosen,) = prepare_search(features, features, True, SearchLimits(rules=1)).propose(maps)
    assert chosen.id == parse(SECOND).id

"""First programs: the grid is valid, and the search finds what was planted."""

import numpy as np
import pytest
import torch

from core.corpus import load_corpus
from core.features import Features, annotate
from core.language import Evaluator, parse
from core.score import patterns, sentence_ious
from core.synthesis.rules import Candidate, candidates
from core.synthesis.search import Search, prepare_search
from core.types import Split
from tests import tiny

PLANTED = (
    Candidate(sink=24, condition="k == q.prev", strength=16),
    Candidate(condition="k.is_punct", strength=8, decay=0.85),
)
BETWEEN_GRID_POINTS = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 28
    if k.is_punct:
        weight *= 19
    return weight
"""


@pytest.fixture(scope="module")
def features() -> dict[Split, Features]:
    sentences = load_corpus().sentences[:40]
    tokenizer = tiny.tokenizer("sentencepiece")
    return {
        split: annotate([s for s in sentences if s.split == split], tokenizer)
        for split in (Split.TRAIN, Split.VALIDATION)
    }


@pytest.fixture(scope="module")
def search(features: dict[Split, Features]) -> Search:
    return prepare_search(features[Split.TRAIN], features[Split.VALIDATION], is_causal=True)


def maps_of(sources: list[str], features: dict[Split, Features]) -> dict[str, np.ndarray]:
    """A layer whose heads do exactly what these programs say."""
    maps = {}
    for split in features.values():
        evaluator = Evaluator(split)
        weights = torch.stack([evaluator.run(parse(source)).weights for source in sources], dim=1)
        for row, sentence in enumerate(split.sentences):
            n = int(split.lengths[row])
            maps[sentence] = weights[row, :, :n, :n].numpy()
    return maps


def fit(program: str, maps: dict[str, np.ndarray], features: Features, head: int) -> float:
    return float(sentence_ious(patterns([parse(program)], features, True), maps, True)[0, head].mean())


@pytest.mark.parametrize("is_causal", [True, False])
def test_every_candidate_is_a_program_with_a_docstring(is_causal: bool) -> None:
    programs = [parse(candidate.source(is_causal)) for candidate in candidates(is_causal)]
    assert len({program.id for program in programs}) == len(programs) > 300
    assert all(program.docstring.endswith(".") for program in programs)


def test_a_docstring_names_exactly_the_parts_there_are() -> None:
    assert parse(Candidate(24).source(True)).docstring == "Rests on the first token."
    whole = Candidate(24, "k.is_punct", 4, 0.9).source(True)
    expected = "Rests on the first token, looks at punctuation and prefers what is near."
    assert parse(whole).docstring == expected


def test_an_encoders_distance_has_no_sign() -> None:
    assert "abs(q.index - k.index)" in Candidate(decay=0.9).source(is_causal=False)


def test_planted_programs_are_found(search: Search, features: dict[Split, Features]) -> None:
    sources = [candidate.source(True) for candidate in PLANTED]
    maps = maps_of(sources, features)
    found = search.propose(maps)
    assert [program.id for program in found] == [parse(source).id for source in sources]


def test_constants_between_the_grid_points_are_fitted(
    search: Search, features: dict[Split, Features]
) -> None:
    maps = maps_of([BETWEEN_GRID_POINTS], features)
    (found,) = search.propose(maps)
    assert fit(found.source, maps, features[Split.VALIDATION], 0) > 0.99
    assert "k.is_punct" in found.source


def test_a_constant_head_gets_a_program_and_no_nan(search: Search, features: dict[Split, Features]) -> None:
    maps = maps_of(["def attend(q, k):\n    return 1.0\n"], features)
    (found,) = search.propose(maps)
    assert fit(found.source, maps, features[Split.VALIDATION], 0) == pytest.approx(1.0)


def test_a_search_reads_no_sentence_beyond_those_it_was_handed(
    search: Search, features: dict[Split, Features]
) -> None:
    """With maps of train and validation only it needs no other; the test split is not among its sentences."""
    held_out = {s.id for s in load_corpus().sentences if s.split == Split.TEST}
    assert not held_out & {*search.train.sentences, *search.validation.sentences}

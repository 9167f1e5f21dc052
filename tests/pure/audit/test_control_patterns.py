"""Controls explain nothing: random rows, another passage's attention."""

import pytest
import torch

from core.audit.control_patterns import RandomPatterns, ShuffledPatterns, controls, wrong_heads
from core.corpus import load_corpus
from core.features import Features, annotate
from core.hybrid import replaced
from core.hybrid.perplexity import Variant, measure
from core.language import parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring import BASELINES
from core.types import HeadId
from tests import tiny
from tests.conftest import TinyLoaded


def features_of(loaded: LoadedModel, count: int, start: int = 0) -> Features:
    sentences = load_corpus().sentences[start : start + count]
    return annotate(sentences, loaded.tokenizer, loaded.embeddings())


def test_every_control_gives_causal_rows_that_sum_to_one(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gemma3")
    features = features_of(loaded, 3)
    heads = loaded.info.head_ids()
    programs = {head: parse(BASELINES["uniform" if head.head else "first token"]) for head in heads}
    found = controls(loaded, heads, features_of(loaded, 4, 3), programs=programs)
    assert list(found) == [
        *("first token", "uniform", "wrong heads", "text-blind twin", "random rows", "shuffled")
    ]
    with replaced(loaded, found["uniform"]):
        for source in found.values():
            weights = source.patterns(features).weights
            assert weights.shape[:2] == (3, len(heads))
            for row, n in enumerate(features.lengths):
                own = weights[row, :, :n, :n]
                torch.testing.assert_close(own.sum(-1), torch.ones(len(heads), int(n)), atol=2e-3, rtol=0)
                assert own.triu(1).abs().max() == 0
                assert weights[row, :, n:].abs().sum() == 0


def test_every_wrong_head_has_another_heads_program() -> None:
    heads = [HeadId(0, head) for head in range(6)]
    programs = {head: parse(f"def attend(q, k):\n    return k.index + {head.head}\n") for head in heads}
    wrong = wrong_heads(heads, programs)
    assert all(wrong[head].id != programs[head].id for head in heads)
    assert {program.id for program in wrong.values()} == {program.id for program in programs.values()}


def test_a_wrong_program_never_looks_where_its_head_may_not() -> None:
    heads = [HeadId(layer, head) for layer in range(4) for head in range(3)]
    looks = {head: HeadId(max(head.layer - 1, 0), 0) for head in heads}
    sources = {
        head: f'def attend(q, k):\n    return {at} + look("{looks[head]}", q, k)\n' if head.layer else
        f"def attend(q, k):\n    return k.index + {at}\n"
        for at, head in enumerate(heads)
    }  # fmt: skip
    programs = {head: parse(source) for head, source in sources.items()}
    for seed in range(5):
        wrong = wrong_heads(heads, programs, seed)
        assert all(program.may_stand_for(head) for head, program in wrong.items())
        assert all(wrong[head].id != programs[head].id for head in heads)
        assert len({program.id for program in wrong.values()}) >= len(heads) - 2
    alone = {heads[0]: programs[heads[0]], heads[4]: programs[heads[4]]}
    assert wrong_heads(list(alone), alone)[heads[0]].id == parse(BASELINES["uniform"]).id


def test_random_rows_are_the_same_for_a_passage_whatever_the_batch(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 2)
    source = RandomPatterns(loaded, loaded.info.head_ids())
    n = int(features.lengths[1])
    together = source.patterns(features).weights[1, :, :n, :n]
    torch.testing.assert_close(source.patterns(features.select([1])).weights[0], together)
    assert not torch.equal(together[0], together[1])


def test_shuffled_attention_is_the_heads_own_on_a_longer_passage(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 6)
    short = int(features.lengths.argmin())
    source = ShuffledPatterns(loaded, loaded.info.head_ids(), features)
    found = source.patterns(features.select([short])).weights[0]
    n = int(features.lengths[short])
    others = [row for row in range(6) if row != short and features.lengths[row] >= n]
    donor = min(others, key=lambda row: (features.lengths[row], row))
    weights = torch.from_numpy(next(extract(loaded, features, [donor])).weights.astype("float32"))
    expected = weights[:, :, :n, :n].flatten(0, 1)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_the_longest_passage_falls_back_to_the_first_token(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 4)
    longest, n = int(features.lengths.argmax()), int(features.lengths.max())
    second = sorted(features.lengths)[-2]
    assert second < n
    source = ShuffledPatterns(loaded, loaded.info.head_ids(), features)
    weights = source.patterns(features.select([longest])).weights[0]
    assert (weights[:, n - 1, 0] == 1).all()


@pytest.mark.parametrize("architecture", tiny.CAUSAL[:2])
def test_controls_cost_something(architecture: str, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 2)
    heads = loaded.info.head_ids()
    variants = [Variant(source, frozenset(heads)) for source in controls(loaded, heads, features).values()]
    assert (measure(loaded, variants, features).kl.mean(1) > 1e-3).all()

"""Hybrids of encoders: masked tokens, final states, and what cannot be asked of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

from core.corpus import load_corpus
from core.errors import HybridError
from core.features import Features, annotate
from core.hybrid import ProgramPatterns, hybrid
from core.hybrid.calibrate import calibrate
from core.hybrid.choose import Chooser
from core.hybrid.costs import measured_costs, scores
from core.hybrid.order import estimated_kl, measured_kl
from core.hybrid.perplexity import Variant, evaluate_hybrid, measure
from core.hybrid.predicted import asked, measure_of, predictions
from core.language import parse
from core.models.pretrained import LoadedModel, load
from core.scoring.ranks import rank_correlation
from core.types import HeadId, HybridSpec, Told
from tests import tiny
from tests.conftest import TinyModel

UNIFORM = "def attend(q, k):\n    return 1.0\n"
FAR = "def attend(q, k):\n    return 0.05 + 5.0 * k.is_first\n"
SOME = [HeadId(0, 1), HeadId(1, 2), HeadId(2, 0)]


@pytest.fixture(scope="module")
def masked(tiny_model: TinyModel) -> LoadedModel:
    """A masked language model whose heads matter, so that costs stand out from rounding."""
    loaded = load(str(tiny_model("bert")), device="cpu")
    for layer in loaded.model.bert.encoder.layer:
        layer.attention.output.dense.weight.mul_(8)
    loaded.model.cls.predictions.transform.LayerNorm.weight.mul_(6)
    return loaded


@pytest.fixture(scope="module")
def bare(masked: LoadedModel) -> LoadedModel:
    """The same encoder without a language model's head."""
    return replace(masked, model=masked.model.base_model)


def passages(loaded: LoadedModel, count: int) -> Features:
    return annotate(load_corpus().sentences[:count], loaded.tokenizer, loaded.embeddings())


def spec(loaded: LoadedModel, heads: list[HeadId], source: str = UNIFORM) -> HybridSpec:
    return HybridSpec.of(loaded.info.id, [(head, source) for head in heads])


def test_a_masked_passage_hides_a_seventh_of_its_words_the_same_each_time(masked: LoadedModel) -> None:
    features = passages(masked, 5)
    found, again = asked(masked, features), asked(masked, features.select([3]))
    assert found.hidden is not None
    behind = np.where(found.hidden >= 0, found.hidden, found.token_ids)
    np.testing.assert_array_equal(behind, features.token_ids)
    assert set(found.token_ids[found.hidden >= 0]) == {masked.tokenizer.mask_token_id}
    for row, n in enumerate(found.lengths):
        hidden = found.hidden[found.span(row)]
        assert (hidden >= 0).sum() == round((n - 2) / 7)  # [CLS] and [SEP] are never hidden
        assert hidden[0] == hidden[-1] == -1
    np.testing.assert_array_equal(again.token_ids, found.token_ids[found.span(3)])
    assert asked(masked, found) is found
    texts = [token.values["text"] for token in found.tokens(0)]
    place = int(np.flatnonzero(found.hidden[found.span(0)] >= 0)[0])
    assert texts[place] == "[MASK]"  # programs read what the model reads


def test_masked_perplexity_and_kl_are_those_of_the_definition(masked: LoadedModel) -> None:
    features = passages(masked, 4)
    found = evaluate_hybrid(masked, spec(masked, SOME), features)
    shown = asked(masked, features)
    assert shown.hidden is not None
    losses, kl = [], []
    with hybrid(masked, spec(masked, SOME)) as patched:
        for row in range(len(shown)):
            ids = torch.from_numpy(shown.token_ids[shown.span(row)].astype(np.int64))[None]
            with torch.inference_mode():
                base = masked.model(input_ids=ids).logits[0].log_softmax(-1)
            changed = patched.logits(shown, [row])[0].log_softmax(-1)
            hidden = torch.from_numpy(shown.hidden[shown.span(row)].astype(np.int64))
            for at in torch.nonzero(hidden >= 0)[:, 0].tolist():
                losses.append([-base[at, hidden[at]].item(), -changed[at, hidden[at]].item()])
                kl.append((base[at].exp() * (base[at] - changed[at])).sum().item())
    one, other = np.exp(np.mean(losses, 0))
    assert (found.measure, found.tokens) == ("masked tokens", len(losses))
    assert found.base_ppl == pytest.approx(one, rel=1e-4)
    assert found.ppl == pytest.approx(other, rel=1e-4)
    assert found.increase.value == pytest.approx(other / one - 1, rel=1e-3)
    assert found.kl.value == pytest.approx(np.mean(kl), rel=1e-4)


def test_the_distance_of_final_states_is_one_minus_their_cosine(bare: LoadedModel) -> None:
    features = passages(bare, 3)
    found = evaluate_hybrid(bare, spec(bare, SOME), features)
    expected = []
    with hybrid(bare, spec(bare, SOME)) as patched:
        for row, n in enumerate(features.lengths):
            states = [patched.logits(features, [row], replaced=one)[0, :n] for one in (False, True)]
            expected += (1 - functional.cosine_similarity(*states, dim=-1)).tolist()
    assert (found.measure, found.tokens) == ("final states", int(features.lengths.sum()))
    assert found.kl.value == pytest.approx(np.mean(expected), rel=1e-4)
    assert found.kl.low < found.kl.value < found.kl.high
    assert np.isnan([found.base_ppl, found.ppl, found.increase.value, found.increase.low]).all()


@pytest.mark.parametrize("kind", ["masked", "bare"])
def test_an_empty_hybrid_of_an_encoder_costs_exactly_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    loaded = request.getfixturevalue(kind)
    found = evaluate_hybrid(loaded, spec(loaded, []), passages(loaded, 2))
    assert found.kl.value == 0


@pytest.mark.parametrize("kind", ["masked", "bare"])
def test_costs_of_encoders_are_measured_alone_and_estimated(
    kind: str, request: pytest.FixtureRequest
) -> None:
    loaded = request.getfixturevalue(kind)
    features = passages(loaded, 3)
    heads = loaded.info.head_ids()
    near = ProgramPatterns(dict.fromkeys(heads, parse(UNIFORM)), False, loaded.device)
    alone = measured_costs(loaded, near, features, range(3))
    variants = [Variant(near, frozenset([head])) for head in heads]
    losses = measure(loaded, variants, features)
    expected = {head: float(losses.kl[at].mean()) for at, head in enumerate(heads)}
    found = measured_kl(alone)
    assert found == pytest.approx(expected, rel=1e-3)
    np.testing.assert_array_equal(alone.tokens, predictions(loaded, asked(loaded, features)))
    drawn = estimated_kl(scores(loaded, near, features, range(3), draws=60))
    assert rank_correlation(drawn, expected) > 0.6


@pytest.mark.parametrize("kind", ["masked", "bare"])
def test_an_encoders_hybrid_is_calibrated(kind: str, request: pytest.FixtureRequest) -> None:
    loaded = request.getfixturevalue(kind)
    features = passages(loaded, 6)
    train, validation = features.select([0, 1, 2]), features.select([3, 4, 5])
    before = spec(loaded, SOME, FAR)
    found = calibrate(loaded, before, train, validation, steps=12)
    assert found.after < found.before
    assert evaluate_hybrid(loaded, found.spec, validation).kl.value == pytest.approx(found.after, rel=5e-2)


class Silent(Told):
    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass


def test_a_budget_of_perplexity_is_refused_where_there_is_none(bare: LoadedModel) -> None:
    programs = {HeadId(0, 0): parse(UNIFORM)}
    chooser = Chooser(bare, programs, {}, passages(bare, 2), Silent())
    with pytest.raises(HybridError, match="no perplexity can be kept within a budget; give the share"):
        chooser.within(0.05, list(programs))


def test_a_masked_language_model_without_a_mask_is_refused_in_words(masked: LoadedModel) -> None:
    plain = tiny.tokenizer("byte")
    assert isinstance(plain, transformers.PreTrainedTokenizerFast)
    with pytest.raises(HybridError, match="its tokenizer has no mask; save one with it"):
        measure_of(replace(masked, tokenizer=plain))

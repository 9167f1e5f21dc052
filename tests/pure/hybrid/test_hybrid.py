"""Hybrids on every architecture: identity, equivalence, restoration, refusals."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.corpus import load_corpus
from core.errors import HybridError, ProgramError
from core.features import Features, annotate
from core.hybrid import IMPLEMENTATION, HeadMaps, hybrid, replaced
from core.hybrid.perplexity import evaluate_hybrid
from core.models.attention import padded_ids
from core.models.patching import PATTERNS
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec
from tests import tiny
from tests.conftest import TinyLoaded
from tests.planted_heads import layers_that_attend

FIRST = "def attend(q, k):\n    return k.is_first\n"
UNIFORM = "def attend(q, k):\n    return 1.0\n"
FAILS_ON_COMMA = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'


def features_of(loaded: LoadedModel, count: int = 4) -> Features:
    return annotate(load_corpus().sentences[:count], loaded.tokenizer, loaded.embeddings())


def eager_logits(loaded: LoadedModel, features: Features, row: int) -> torch.Tensor:
    """The untouched model on one sentence alone."""
    ids = torch.from_numpy(features.token_ids[features.span(row)].astype(np.int64))[None]
    with torch.inference_mode():
        return loaded.model(input_ids=ids).logits[0]


@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, *tiny.PECULIAR])
def test_an_empty_spec_changes_nothing(architecture: str, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded)
    expected = [eager_logits(loaded, features, row) for row in range(len(features))]
    with hybrid(loaded, HybridSpec.of(loaded.info.id, [])) as patched:
        found = patched.logits(features, range(len(features)))  # padded to one width
    for row, logits in enumerate(expected):
        torch.testing.assert_close(found[row, : len(logits)], logits, atol=1e-5, rtol=0)


class OwnPatterns:
    """Every head's own attention, as the model reports it."""

    def __init__(self, loaded: LoadedModel, heads: list[HeadId]) -> None:
        self.loaded, self.heads = loaded, heads

    def patterns(self, features: Features) -> HeadMaps:
        ids, mask = padded_ids(features, range(len(features)), self.loaded.device)
        with torch.inference_mode():
            found = self.loaded.model(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
        return HeadMaps(self.heads, torch.stack([found[h.layer][:, h.head] for h in self.heads], 1))


@pytest.mark.parametrize("count", [1, 5, tiny.LAYERS * tiny.HEADS])
@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, *tiny.PECULIAR])
def test_a_program_that_returns_the_heads_own_attention_changes_nothing(
    architecture: str, count: int, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 3)
    heads = loaded.info.head_ids()[-count:]
    with replaced(loaded, OwnPatterns(loaded, heads)) as patched:
        found = patched.logits(features, range(3))
    for row, n in enumerate(features.lengths):
        torch.testing.assert_close(found[row, :n], eager_logits(loaded, features, row), atol=1e-4, rtol=0)


def test_layers_with_every_head_replaced_skip_the_query_key_product(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 1)
    spec = HybridSpec.of(
        loaded.info.id, [(HeadId(1, head), FIRST) for head in range(tiny.HEADS)] + [(HeadId(2, 0), FIRST)]
    )
    with layers_that_attend() as layers, hybrid(loaded, spec) as patched:
        patched.logits(features, [0])
    assert layers == [0, 2]


def test_a_program_sees_no_further_than_its_layers_sliding_window(tiny_loaded: TinyLoaded) -> None:
    """There, every head on the first token is every head on the first token within the window."""
    loaded = tiny_loaded("mistral")
    features = features_of(loaded, 1)
    window = loaded.model.config.sliding_window
    assert features.lengths[0] > window
    oldest = f"def attend(q, k):\n    return k.index == max(0, q.index - {window - 1})\n"
    heads = loaded.info.head_ids()
    found = []
    for source in (FIRST, oldest):
        with hybrid(loaded, HybridSpec.of(loaded.info.id, [(head, source) for head in heads])) as patched:
            found.append(patched.logits(features, [0]))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_replaced_heads_change_the_logits_and_leaving_restores_them(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 1)
    before = eager_logits(loaded, features, 0)
    spec = HybridSpec.of(loaded.info.id, [(head, UNIFORM) for head in loaded.info.head_ids()])
    with hybrid(loaded, spec) as patched:
        changed = patched.logits(features, [0])[0]
        assert loaded.model.config._attn_implementation == IMPLEMENTATION
    assert (changed - before).abs().max() > 1e-3
    torch.testing.assert_close(eager_logits(loaded, features, 0), before, atol=0, rtol=0)


@pytest.mark.parametrize("architecture", tiny.CAUSAL)
def test_a_hybrid_never_sees_the_future(architecture: str, tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 1)
    spec = HybridSpec.of(loaded.info.id, [(HeadId(0, 1), FIRST)])
    with hybrid(loaded, spec) as patched:
        whole = patched.logits(features, [0])[0]
        changed_ids = features.token_ids.copy()
        changed_ids[-1] = (changed_ids[-1] + 7) % tiny.VOCABULARY
        other = patched.logits(replace(features, token_ids=changed_ids), [0])[0]
    torch.testing.assert_close(whole[:-1], other[:-1], atol=1e-5, rtol=0)


def test_the_pattern_is_what_reaches_the_values(tiny_loaded: TinyLoaded) -> None:
    """With every head on the first token, every position gets the first token's attention output."""
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 1)
    outputs: list[torch.Tensor] = []
    attention = loaded.model.transformer.h[0].attn
    hook = attention.register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    spec = HybridSpec.of(loaded.info.id, [(HeadId(0, head), FIRST) for head in range(tiny.HEADS)])
    with hybrid(loaded, spec) as patched:
        patched.logits(features, [0])
    hook.remove()
    torch.testing.assert_close(outputs[0][0], outputs[0][0, :1].expand_as(outputs[0][0]))


def test_the_model_is_restored_after_an_exception(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    with pytest.raises(ZeroDivisionError), hybrid(loaded, HybridSpec.of(loaded.info.id, [])):
        raise ZeroDivisionError
    assert loaded.model.config._attn_implementation == "eager"


def test_an_exception_within_a_forward_pass_leaves_no_pattern_behind(tiny_loaded: TinyLoaded) -> None:
    """The last layer breaks; a pass after it is the model's own again, patched or not."""
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 1)
    before = eager_logits(loaded, features, 0)

    def break_down(module: torch.nn.Module, inputs: object) -> None:
        raise FloatingPointError

    with hybrid(loaded, HybridSpec.of(loaded.info.id, [(HeadId(0, 0), FIRST)])) as patched:
        hook = loaded.model.model.layers[-1].register_forward_pre_hook(break_down)
        with pytest.raises(FloatingPointError):
            patched.logits(features, [0])
        hook.remove()
        assert not PATTERNS
        torch.testing.assert_close(
            patched.logits(features, [0], replaced=False)[0], before, atol=1e-5, rtol=0
        )
    torch.testing.assert_close(eager_logits(loaded, features, 0), before, atol=0, rtol=0)


def test_two_models_can_be_patched_at_once(tiny_loaded: TinyLoaded) -> None:
    one, two = tiny_loaded("llama"), tiny_loaded("qwen3")
    features = features_of(two, 1)
    before = eager_logits(two, features, 0)
    heads = [(head, FIRST) for head in one.info.head_ids()]
    with (
        hybrid(one, HybridSpec.of(one.info.id, heads)),
        hybrid(two, HybridSpec.of(two.info.id, [])) as patched,
    ):
        found = patched.logits(features, [0])[0]
    torch.testing.assert_close(found, before, atol=1e-5, rtol=0)


def test_two_threads_may_run_two_patched_models(tiny_loaded: TinyLoaded) -> None:
    def run(architecture: str) -> torch.Tensor:
        loaded = tiny_loaded(architecture)
        features = features_of(loaded, 1)
        spec = HybridSpec.of(loaded.info.id, [(head, UNIFORM) for head in loaded.info.head_ids()])
        with hybrid(loaded, spec) as patched:
            return torch.stack([patched.logits(features, [0]) for _ in range(5)])

    names = ["llama", "qwen3"]
    alone = [run(name) for name in names]
    with ThreadPoolExecutor() as pool:
        together = list(pool.map(run, names))
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_a_head_keeps_its_attention_where_its_program_fails(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded)
    spec = HybridSpec.of(loaded.info.id, [(HeadId(0, 0), FAILS_ON_COMMA)])
    with_comma = [
        row
        for row in range(len(features))
        if any(token.values["text"] == "," for token in features.tokens(row))
    ]
    assert with_comma
    with hybrid(loaded, spec) as patched:
        found = patched.logits(features, [with_comma[0]])[0]
    assert patched.failures == 1
    torch.testing.assert_close(found, eager_logits(loaded, features, with_comma[0]), atol=1e-5, rtol=0)
    assert evaluate_hybrid(loaded, spec, features).kept == len(with_comma)


def test_an_empty_hybrid_costs_nothing(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("mistral")
    found = evaluate_hybrid(loaded, HybridSpec.of(loaded.info.id, []), features_of(loaded))
    assert abs(found.increase.value) < 1e-6
    assert abs(found.kl.value) < 1e-6


def test_perplexity_is_the_models_own(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 1)
    ids = torch.from_numpy(features.token_ids.astype(np.int64))[None]
    with torch.inference_mode():
        expected = loaded.model(input_ids=ids, labels=ids).loss.exp().item()
    found = evaluate_hybrid(loaded, HybridSpec.of(loaded.info.id, []), features)
    assert found.base_ppl == pytest.approx(expected, rel=1e-4)
    assert found.tokens == ids.shape[1] - 1


def test_a_replaced_model_costs_and_its_interval_holds_the_increase(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    spec = HybridSpec.of(loaded.info.id, [(head, FIRST) for head in loaded.info.head_ids()])
    found = evaluate_hybrid(loaded, spec, features_of(loaded, 8))
    assert found.kl.value > 0.01
    assert found.increase.low <= found.increase.value <= found.increase.high
    assert found.kl.low < found.kl.value < found.kl.high


@pytest.mark.parametrize(
    ("model", "programs", "message"),
    [
        ("another-model", [], "is for the model another-model"),
        (None, [(HeadId(99, 0), FIRST)], "L99H0 does not exist"),
        (None, [(HeadId(0, 4), FIRST)], "3 layers of 4 heads"),
        (None, [(HeadId(0, 1), FIRST), (HeadId(0, 1), UNIFORM)], "L0H1 is replaced twice"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused_before_any_work(
    model: str | None, programs: list[tuple[HeadId, str]], message: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded("gpt2")
    spec = HybridSpec.of(model or loaded.info.id, programs)
    with pytest.raises(HybridError, match=message), hybrid(loaded, spec):
        pass
    assert loaded.model.config._attn_implementation == "eager"


def test_a_program_of_another_language_is_refused(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    spec = HybridSpec.of(loaded.info.id, [(HeadId(0, 0), "import os")])
    with pytest.raises(ProgramError), hybrid(loaded, spec):
        pass


def test_passages_of_one_token_are_refused(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 1)
    single = replace(
        features,
        offsets=np.array([0, 1]),
        token_ids=features.token_ids[:1],
        columns={name: column[:1] for name, column in features.columns.items()},
    )
    with pytest.raises(HybridError, match="two tokens"):
        evaluate_hybrid(loaded, HybridSpec.of(loaded.info.id, []), single)

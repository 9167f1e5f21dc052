from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from core.corpus import from_passages
from core.features import Features, annotate
from core.maps import like_batches
from core.models.attention import MAP_BUDGET, extract, padded_ids, read_layers
from core.models.pretrained import LoadedModel
from tests import tiny

PASSAGES = (
    "Short.",
    "The cat sat on the mat and looked at the door.",
    "Once there was a fox, and a crow; the crow had cheese. “Sing!” said the fox.",
    "One.",
)
FLOAT16 = 2e-3  # of weights up to 1, with the noise of another batch shape


@pytest.fixture(scope="module")
def prepared(tiny_loaded):
    """A tiny model, its features of PASSAGES, and the maps that extraction gives, by sentence id."""

    @cache
    def of(architecture: str) -> tuple[LoadedModel, Features, dict[str, np.ndarray]]:
        loaded = tiny_loaded(architecture)
        sentences = from_passages("test", [(text, "") for text in PASSAGES]).sentences
        features = annotate(sentences, loaded.tokenizer)
        found = extract(loaded, features, range(len(features)))
        return loaded, features, {one.sentence: one.weights for one in found}

    return of


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_batching_and_padding_change_nothing(prepared, architecture):
    loaded, features, maps = prepared(architecture)
    for row, sentence in enumerate(features.sentences):
        ids = torch.from_numpy(features.token_ids[features.span(row)].astype(np.int64))[None]
        with torch.inference_mode():
            own = loaded.model(input_ids=ids, output_attentions=True).attentions
        expected = torch.cat(own).numpy()  # [layer, head, query, key]
        np.testing.assert_allclose(maps[sentence], expected, atol=FLOAT16)


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_rows_sum_to_one(prepared, architecture):
    for weights in prepared(architecture)[2].values():
        np.testing.assert_allclose(weights.astype(np.float32).sum(-1), 1, atol=FLOAT16)


@pytest.mark.parametrize("architecture", tiny.CAUSAL)
def test_future_tokens_get_no_weight(prepared, architecture):
    for weights in prepared(architecture)[2].values():
        assert not np.triu(weights, 1).any()


def test_an_encoder_looks_both_ways(prepared):
    assert all(np.triu(weights, 1).any() for weights in prepared("bert")[2].values())


@pytest.mark.parametrize(
    ("architecture", "slides"),
    [("gemma3", [True, False, True]), ("mistral", [True] * 3), ("llama", [False] * 3)],
)
def test_a_sliding_window_of_8_shows_in_its_layers(prepared, architecture, slides):
    longest = max(prepared(architecture)[2].values(), key=lambda weights: weights.shape[-1])
    beyond = [np.tril(layer, -8).any() for layer in longest]
    assert [not reaches for reaches in beyond] == slides


def test_heads_differ(prepared):
    weights = max(prepared("gpt2")[2].values(), key=lambda found: found.shape[-1])
    flat = weights.reshape(tiny.LAYERS * tiny.HEADS, -1)
    assert len(np.unique(flat, axis=0)) == len(flat)


def test_only_the_rows_asked_for_are_extracted(prepared):
    loaded, features, _ = prepared("gpt2")
    found = list(extract(loaded, features, [2, 0]))
    assert [one.sentence for one in found] == [features.sentences[0], features.sentences[2]]  # shortest first


def test_nothing_asked_for_gives_nothing(prepared):
    loaded, features, _ = prepared("gpt2")
    assert list(extract(loaded, features, [])) == []


# Batches


def test_attention_maps_stay_within_a_quarter_billion_cells():
    cut = like_batches([512] * 5, range(5), tokens=10**9, pairs=MAP_BUDGET // 2**9)
    sizes = [len(batch) for batch in cut]
    assert sizes == [2, 2, 1]  # each passage gives 2**9 maps of 2**18 cells


def test_padding_is_masked_on_the_right(prepared):
    _, features, _ = prepared("gpt2")
    ids, mask = padded_ids(features, [0, 3], torch.device("cpu"))
    lengths = features.lengths[[0, 3]].tolist()
    assert ids.shape == (2, max(lengths))
    assert mask.sum(1).tolist() == lengths
    assert ids[mask == 0].tolist() == [0] * int((mask == 0).sum())


def test_layers_are_handed_out_one_by_one_as_the_pass_reaches_them(tiny_loaded):
    loaded = tiny_loaded("llama")
    features = annotate(from_passages("test", [(text, "") for text in PASSAGES]).sentences, loaded.tokenizer)
    order = []
    hooks = [
        layer.register_forward_hook(lambda *given, at=at: order.append(f"after {at}"))
        for at, layer in enumerate(loaded.model.model.layers)
    ]
    read_layers(loaded, features, [0, 1], lambda maps: order.append(maps.shape[:2]))
    for hook in hooks:
        hook.remove()
    assert order == [(2, tiny.HEADS), "after 0", (2, tiny.HEADS), "after 1", (2, tiny.HEADS), "after 2"]


def test_a_pass_ends_with_the_last_layer_that_is_wanted(tiny_loaded):
    loaded = tiny_loaded("llama")
    features = annotate(from_passages("test", [(text, "") for text in PASSAGES]).sentences, loaded.tokenizer)
    whole, some, passed = [], [], []
    hooks = [
        layer.register_forward_hook(lambda *given, at=at: passed.append(at))
        for at, layer in enumerate(loaded.model.model.layers)
    ]
    read_layers(loaded, features, [0, 1], whole.append)
    assert passed == [0, 1, 2]
    passed.clear()
    read_layers(loaded.extracted([1]), features, [0, 1], some.append)
    for hook in hooks:
        hook.remove()
    assert passed == [0]  # the layer itself is left once its attention is there
    (only,) = some
    assert only.tolist() == whole[1].tolist()

"""What a model is asked when it is added, and what follows for scores, stored attention and hybrids."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from core.corpus import from_passages
from core.errors import HybridError, ModelError
from core.features import Features, annotate
from core.hybrid import HeadMaps, hybrid, replaced
from core.language import parse
from core.maps import iou_of
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.scoring import BASELINES, program_maps, score
from core.store.attention import AttentionWriter, layer_path
from core.types import HeadId, HybridSpec, Split, Window
from tests import architectures

PASSAGES = (
    "The cat sat on the mat and looked at the door, which was open.",
    "Once there was a fox, and a crow; the crow had cheese. “Sing!” said the fox.",
)
ATTENDS = {name: parse(source) for name, source in BASELINES.items()}


@cache
def loaded(kind: str) -> LoadedModel:
    if kind == "llama both ways":
        return architectures.loaded("llama", is_causal=False)
    if kind == "gpt_oss with sinks":
        model = architectures.build("gpt_oss")
        for layer in model.model.layers:
            layer.self_attn.sinks.data.fill_(3.0)
        return architectures.asked(model)
    return architectures.loaded(kind)


@cache
def features(kind: str) -> Features:
    sentences = from_passages("test", [(text, "") for text in PASSAGES]).sentences
    return annotate(sentences, loaded(kind).tokenizer, pipeline="none")


# What the model says


def test_direction_comes_from_the_maps() -> None:
    assert not loaded("llama both ways").info.is_causal
    assert loaded("llama").info.is_causal


def test_sinks_are_seen_and_what_they_take_is_measured() -> None:
    traits = loaded("gpt_oss with sinks").info.traits
    assert traits.sinks == (0, 1, 2, 3)
    assert traits.missing_mass == pytest.approx(0.65, abs=0.02)
    assert "65% of the attention goes to sinks" in " ".join(traits.words)
    assert loaded("llama").info.traits.sinks == ()


def test_windows_are_seen_layer_by_layer_on_both_sides() -> None:
    assert dict(loaded("gpt_oss with sinks").info.traits.windows) == {0: Window(7), 2: Window(7)}
    assert dict(loaded("modernbert").info.traits.windows) == {1: Window(4, 4), 2: Window(4, 4)}
    assert loaded("llama").info.traits.windows == ()


def test_layers_without_heads_are_absent_not_shifted() -> None:
    info = loaded("qwen3_next").info
    assert info.traits.without_heads == (0, 1, 2)
    assert {head.layer for head in info.head_ids()} == {3}


def test_layers_that_share_one_module_are_told_apart() -> None:
    assert loaded("albert").info.attention_layers == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("longformer", "on 23 tokens its attention is 4 x 23 x 9, not heads x 23 x 23"),
        ("funnel", "on 23 tokens its attention is 4 x 12 x 23"),
        ("squeezebert", "the attention of layer 0 is no share"),
        ("cpmant", "a passage among others gives other results than alone"),
        ("mra", "it reports no attention weights"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(kind: str, message: str) -> None:
    with pytest.raises(ModelError, match=f"is not supported: {message}.*take another model"):
        loaded(kind)


def test_damaged_weights_are_refused() -> None:
    model = architectures.build("llama")
    model.model.layers[1].self_attn.q_proj.weight.data[0, 0] = torch.nan
    with pytest.raises(ModelError, match="the attention of layer 1 is not finite: its weights are damaged"):
        architectures.asked(model)


def test_a_model_that_its_own_attention_changes_keeps_its_attention_alone() -> None:
    """It scales what its heads give by a sink that its weights do not show."""
    found = loaded("granite_swa")
    assert "with its own attention in the place of its heads it gives other results" in (
        found.info.traits.attention_only
    )
    with (
        pytest.raises(HybridError, match="the heads of tiny cannot be replaced: with its own"),
        hybrid(found, HybridSpec.of(found.info.id, [])),
    ):
        pass


def test_roberta_counts_its_positions_from_the_padding_token() -> None:
    assert architectures.loaded("roberta", max_position_embeddings=66, pad_token_id=1).info.max_length == 64


# What follows

KINDS = ("llama", "llama both ways", "gpt_oss with sinks", "mistral", "modernbert", "qwen3_next")


def from_parquet(folder: Path, layer: int) -> dict[tuple[int, str], np.ndarray]:
    """A layer's maps by head and sentence, read by what the file says of itself and nothing else."""
    table = pq.read_table(layer_path(folder, layer))
    is_full = table.schema.metadata[b"shape"] == b"full"
    maps = {}
    for row in table.to_pylist():
        cells = np.ones((row["n"], row["n"]), bool) if is_full else np.tri(row["n"], dtype=bool)
        one = np.zeros(cells.shape)
        one[cells] = np.frombuffer(row["weights"], "<f2")
        maps[row["head"], row["sentence_id"]] = one
    return maps


@pytest.mark.parametrize("kind", KINDS)
def test_scores_can_be_recomputed_from_parquet_alone(kind: str, tmp_path: Path) -> None:
    info, text = loaded(kind).info, features(kind)
    writer = AttentionWriter(tmp_path, info.attention_layers, info.is_causal, info.traits.sinks)
    attention = list(extract(loaded(kind), text, range(len(text))))
    list(writer.write(attention))
    writer.finish()
    produced = program_maps([ATTENDS["uniform"]], text, info.is_causal)
    for place, layer in enumerate(info.attention_layers):
        maps = {one.sentence: one.weights[place].astype(np.float32) for one in attention}
        heads = [HeadId(layer, head) for head in range(info.heads)]
        found = score(produced, maps, heads, Split.TEST, info.window(layer))
        stored = from_parquet(tmp_path, layer)
        rows = pq.read_schema(layer_path(tmp_path, layer)).metadata[b"rows"]
        assert rows == (b"sum to at most 1" if layer in info.traits.sinks else b"sum to 1")
        for head, scored in zip(heads, found, strict=True):
            ious = [
                iou(stored[head.head, sentence], uniform(stored[head.head, sentence], info.window(layer)))
                for sentence in text.sentences
            ]
            assert scored.iou.value == pytest.approx(np.mean(ious), abs=2e-3)


def uniform(head: np.ndarray, window: Window) -> np.ndarray:
    """Every key alike that the query sees: causal models the past, others all, none beyond the window."""
    seen = np.tri(len(head)) if not np.triu(head, 1).any() else np.ones(head.shape)
    seen = seen * window.seen(len(head))
    weights: np.ndarray = seen / seen.sum(1, keepdims=True)
    return weights


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


def test_iou_of_two_maps_counts_what_goes_to_a_sink_as_missing() -> None:
    head = np.array([[0.4, 0.0], [0.1, 0.5]])
    program = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert iou_of(head, program) == pytest.approx((0.4 + 0.1 + 0.5) / (1.0 + 0.5 + 0.5))


class OwnMaps:
    """Every head's own attention; with `whole`, its rows made to sum to 1."""

    def __init__(self, kind: str, whole: bool) -> None:
        self.heads = loaded(kind).info.head_ids()
        self.kind, self.whole = kind, whole

    def patterns(self, text: Features) -> HeadMaps:
        place = {layer: at for at, layer in enumerate(loaded(self.kind).info.attention_layers)}
        n = int(text.lengths.max())
        weights = torch.zeros(len(text), len(self.heads), n, n)
        for one in extract(loaded(self.kind), text, range(len(text))):
            row, m = text.row(one.sentence), one.weights.shape[-1]
            for at, head in enumerate(self.heads):
                weights[row, at, :m, :m] = torch.from_numpy(one.weights[place[head.layer], head.head]).float()
        total = weights.sum(-1, keepdim=True)
        return HeadMaps(self.heads, weights / total.where(total > 0, 1) if self.whole else weights)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hybrid_keeps_what_a_head_gives_to_its_sink(kind: str, whole: bool) -> None:
    """Its own attention in its place changes nothing, whether or not the sink's share is in it."""
    text = features(kind)
    with replaced(loaded(kind), OwnMaps(kind, whole)) as patched:
        found, own = patched.logits(text, [0, 1]), patched.logits(text, [0, 1], replaced=False)
    for row, n in enumerate(text.lengths):
        apart = (found[row, :n] - own[row, :n]).abs().max() / own[row, :n].abs().max()
        assert apart < 5e-3  # of maps in float16


def test_what_a_program_does_beyond_a_window_is_scored_as_it_is_applied() -> None:
    """On a layer that sees 8 tokens, the first token is the first of those 8."""
    kind = "mistral"
    info, text = loaded(kind).info, features(kind)
    oldest = parse("def attend(q, k):\n    return k.index == max(0, q.index - 7)\n")
    produced = program_maps([ATTENDS["first token"], oldest], text, info.is_causal).within(info.window(0))
    for cells in produced.cells:
        torch.testing.assert_close(cells[0], cells[1])

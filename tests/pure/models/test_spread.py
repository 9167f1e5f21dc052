"""Models whose weights are of a shorter format, or spread by a device map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from core.corpus import load_corpus
from core.errors import AuditError, ModelError
from core.features import Features, annotate
from core.hybrid.perplexity import evaluate_hybrid
from core.models.attention import extract
from core.models.pretrained import LoadedModel, load
from core.scoring import BASELINES
from core.types import HeadId, HybridSpec
from tests import tiny
from tests.conftest import TinyLoaded, TinyModel

WHOLE = json.dumps({"": "cpu"})
ON_DISK = json.dumps(  # the middle layer is fetched when it runs
    {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.layers.2": "cpu",
     "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
)  # fmt: skip


def features_of(loaded: LoadedModel) -> Features:
    return annotate(load_corpus().sentences[:4], loaded.tokenizer, loaded.embeddings())


def attention(loaded: LoadedModel) -> dict[str, np.ndarray]:
    features = features_of(loaded)
    return {one.sentence: one.weights for one in extract(loaded, features, range(len(features)))}


@pytest.fixture(scope="module")
def in_bfloat16(tiny_model: TinyModel) -> LoadedModel:
    return load(str(tiny_model("llama")), device="cpu", dtype="bfloat16")


@pytest.mark.parametrize("device_map", [WHOLE, "auto", ON_DISK])
def test_a_spread_model_is_the_model(
    device_map: str, tiny_model: TinyModel, tiny_loaded: TinyLoaded, tmp_path: Path
) -> None:
    whole = tiny_loaded("llama")
    spread = load(str(tiny_model("llama")), tmp_path, "cpu", device_map=device_map)
    assert any(one.is_meta for one in spread.model.parameters()) == (device_map == ON_DISK)
    assert spread.info == whole.info
    assert spread.weights() == whole.weights()
    np.testing.assert_array_equal(spread.embeddings(), whole.embeddings())
    expected = attention(whole)
    for sentence, maps in attention(spread).items():
        np.testing.assert_array_equal(maps, expected[sentence])
    hybrid = HybridSpec.of(whole.info.id, [(HeadId(1, 2), BASELINES["same token"])])
    assert evaluate_hybrid(spread, hybrid, features_of(spread)) == evaluate_hybrid(
        whole, hybrid, features_of(whole)
    )


def test_attention_in_bfloat16_is_what_the_library_computes(
    in_bfloat16: LoadedModel, tiny_model: TinyModel
) -> None:
    assert in_bfloat16.model.dtype == torch.bfloat16
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tiny_model("llama"), dtype=torch.bfloat16, attn_implementation="eager"
    )
    features = features_of(in_bfloat16)
    for one in extract(in_bfloat16, features, range(len(features)), batch_tokens=1):
        ids = torch.from_numpy(features.token_ids[features.span(features.row(one.sentence))].astype(np.int64))
        with torch.inference_mode():
            expected = model(ids[None], output_attentions=True).attentions
        for layer, maps in enumerate(expected):
            np.testing.assert_array_equal(one.weights[layer], maps[0].half().numpy())


def test_a_model_in_bfloat16_can_be_a_hybrid_and_is_another_model_than_its_checkpoint(
    in_bfloat16: LoadedModel, tiny_loaded: TinyLoaded, tiny_model: TinyModel
) -> None:
    """The checkpoint has float32: rounded weights are others."""
    whole = tiny_loaded("llama")
    assert in_bfloat16.info.traits.attention_only == ""
    assert in_bfloat16.info.id != whole.info.id
    features, nothing = features_of(in_bfloat16), HybridSpec.of(in_bfloat16.info.id, [])
    found = evaluate_hybrid(in_bfloat16, nothing, features)
    assert found.kl.value == 0
    with pytest.raises(ModelError, match=r"put that model back \(and its --dtype\)"):
        load(str(tiny_model("llama")), device="cpu", expected=in_bfloat16.info.id)


def test_a_checkpoint_in_bfloat16_is_the_same_model_in_either_format(tmp_path: Path) -> None:
    tiny.build("llama").to(torch.bfloat16).save_pretrained(tmp_path / "model")
    tiny.tokenizer("sentencepiece").save_pretrained(tmp_path / "model")
    short, usual = (
        load(str(tmp_path / "model"), device="cpu", dtype=dtype) for dtype in ("bfloat16", "auto")
    )
    assert (short.model.dtype, usual.model.dtype) == (torch.bfloat16, torch.float32)
    assert short.info.id == usual.info.id
    expected = attention(usual)
    apart = [abs(maps.astype(float) - expected[s]).mean() for s, maps in attention(short).items()]
    assert max(apart) < 0.02, apart  # bfloat16 has three digits, and scores of these models are large


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "int4"}, "the dtype 'int4' is none of auto, float32, bfloat16, float16"),
        ({"device_map": "everywhere"}, "the device map 'everywhere' is none of auto, balanced"),
        ({"device_map": "[1]"}, "nor JSON of parts and their devices"),
    ],
)
def test_what_weights_cannot_be_is_said(given: dict[str, str], message: str, tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match=message):
        load(str(tiny_model("llama")), device="cpu", **given)


def test_audits_that_read_weights_say_where_these_are_not_in_memory(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    from core.audit.recording import projections
    from core.audit.untrained import drawn_anew

    spread = load(str(tiny_model("llama")), tmp_path, "cpu", device_map=ON_DISK)
    with pytest.raises(AuditError, match="give one that holds all of them"):
        projections(spread, features_of(spread))
    with pytest.raises(AuditError, match="not drawn anew"), drawn_anew(spread):
        pass

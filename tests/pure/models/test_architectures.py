"""Thirty architectures the whole way: asked, extracted, their heads replaced.

`python -m tests.benchmarks.architectures` walks every one that transformers has.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from core.corpus import from_passages
from core.features import Features, annotate
from core.hybrid import HeadMaps, replaced
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from tests import architectures

WITHOUT_INTERFACE = (
    "albert", "bloom", "deberta", "deberta-v2", "distilbert", "falcon", "gpt_bigcode", "mpnet", "mpt",
    "nomic_bert", "roformer", "xglm", "xlm", "codegen", "ctrl",
)  # fmt: skip
KINDS = (
    *WITHOUT_INTERFACE, "bart", "cohere2", "electra", "esm", "gemma3_text", "gpt_neox", "gpt_oss", "jamba",
    "lfm3", "llama", "modernbert", "opt", "phi3", "qwen3_next", "recurrent_gemma", "roberta",
)  # fmt: skip
PASSAGES = ("The cat sat on the mat.", "Once there was a fox, and a crow; the crow had cheese.")


# transformers 5.20 compiles parts of three types as it imports them, which torch advises against.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@cache
def loaded(kind: str) -> LoadedModel:
    if not architectures.is_known(kind):
        pytest.skip(f"this version of transformers has no {kind}")
    return architectures.loaded(kind)


def features(kind: str) -> Features:
    sentences = from_passages("test", [(text, "") for text in PASSAGES]).sentences
    return annotate(sentences, loaded(kind).tokenizer, pipeline="none")


class Exchanged:
    """Every head attends as it does itself, or as the head before it does."""

    def __init__(self, kind: str, by: int) -> None:
        self.heads = loaded(kind).info.head_ids()
        self.kind, self.by = kind, by

    def patterns(self, text: Features) -> HeadMaps:
        n = int(text.lengths.max())
        weights = torch.zeros(len(text), len(self.heads), n, n)
        for one in extract(loaded(self.kind), text, range(len(text))):
            m = one.weights.shape[-1]
            own = torch.from_numpy(one.weights).float().roll(self.by, 1).flatten(0, 1)
            weights[text.row(one.sentence), :, :m, :m] = own
        return HeadMaps(self.heads, weights)


def apart(kind: str, by: int) -> float:
    """How far a hybrid's logits are from the model's, as a share of the largest."""
    text = features(kind)
    with replaced(loaded(kind), Exchanged(kind, by)) as patched:
        found, own = patched.logits(text, [0, 1]), patched.logits(text, [0, 1], replaced=False)
    return max(
        float((found[row, :n] - own[row, :n]).abs().max() / own[row, :n].abs().max())
        for row, n in enumerate(text.lengths)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_architecture_goes_the_whole_way(kind: str) -> None:
    assert not loaded(kind).info.traits.attention_only
    assert apart(kind, by=0) < 5e-3  # its own attention, kept in float16
    assert apart(kind, by=1) > 1e-2  # another head's


@pytest.mark.parametrize("kind", WITHOUT_INTERFACE[:6])
def test_nothing_of_a_patch_is_left(kind: str) -> None:
    text = features(kind)
    model = loaded(kind).model
    ids = torch.tensor([text.token_ids[text.span(0)].tolist()])
    with torch.inference_mode():
        before = model(input_ids=ids).logits
        with replaced(loaded(kind), Exchanged(kind, 1)) as patched:
            patched.logits(text, [0])
        torch.testing.assert_close(model(input_ids=ids).logits, before, atol=0, rtol=0)
    assert not any("forward" in vars(module) for module in model.modules())

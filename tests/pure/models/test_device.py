"""Where the device's memory runs out, batches are halved and the work goes on."""

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpus import from_passages
from core.errors import ModelError
from core.features import annotate
from core.hybrid.calibrate import calibrate
from core.hybrid.perplexity import evaluate_hybrid
from core.models.attention import extract
from core.models.device import Halving, give_back
from core.models.pretrained import LoadedModel
from core.proposers import SearchLimits
from core.proposers.search.propose import prepare_search
from core.scoring import BASELINES
from core.types import HeadId, HybridSpec
from tests import tiny
from tests.conftest import TinyLoaded

FLOAT16 = 2e-3  # of weights up to 1, with the noise of another batch shape


def doubled(most: int):
    """Work on numbers that fits in memory for so many at once."""
    seen = []

    def work(part):
        seen.append(len(part))
        if len(part) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * item for item in part]

    return work, seen


def test_what_does_not_fit_is_done_in_halves_and_in_order():
    work, seen = doubled(most=3)
    parts = list(Halving().run(range(8), work))
    assert [item for _, result in parts for item in result] == [2 * item for item in range(8)]
    assert seen == [8, 4, 2, 2, 2, 2]


def test_later_batches_are_no_larger_than_what_fitted_and_each_halving_is_told_once():
    notes: list[str] = []
    halving = Halving(notes.append)
    work, seen = doubled(most=4)
    for _ in range(2):
        list(halving.run(range(8), work))
    assert seen == [8, 4, 4, 4, 4]
    assert notes == ["the device's memory ran out on a batch of 8; goes on with half of that"]


def test_one_item_that_does_not_fit_is_an_error_that_says_what_to_do():
    with pytest.raises(ModelError, match="HEADSCRIPT_DEVICE=cpu"):
        list(Halving().run([1], doubled(most=0)[0]))


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
def test_on_the_cpu_too_what_does_not_fit_is_done_in_halves(allocate):
    """A petabyte is refused by the real allocators, each with its own error."""
    notes: list[str] = []

    def work(part):
        allocate(2**47 if len(part) > 2 else 1)
        return len(part)

    assert [found for _, found in Halving(notes.append).run(range(8), work)] == [2, 2, 2, 2]
    assert len(notes) == 2


def test_another_error_is_not_taken_for_lack_of_memory():
    with pytest.raises(ZeroDivisionError):
        list(Halving().run([1, 0], lambda part: 1 // part[1]))


@pytest.fixture
def cramped(tiny_loaded: TinyLoaded):
    """A tiny model whose forward pass runs out of memory on more than 24 tokens in more than one passage."""
    loaded = tiny_loaded("gpt2")

    def check(module, arguments, named):
        ids = arguments[0] if arguments else named["input_ids"]
        if ids.numel() > 24 and len(ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    hook = loaded.model.base_model.register_forward_pre_hook(check, with_kwargs=True)
    yield loaded, hook
    hook.remove()


def features_of(loaded: LoadedModel):
    passages = [(sentence.text[:80], "") for sentence in tiny.short_passages(8)]
    return annotate(from_passages("test", passages).sentences, loaded.tokenizer)


def test_extraction_goes_on_with_smaller_batches_after_a_forward_pass_ran_out_of_memory(cramped):
    loaded, hook = cramped
    features = features_of(loaded)
    notes: list[str] = []
    found = {
        one.sentence: one.weights
        for one in extract(loaded, features, range(len(features)), halving=Halving(notes.append))
    }
    hook.remove()
    expected = {one.sentence: one.weights for one in extract(loaded, features, range(len(features)))}
    assert notes
    assert found.keys() == expected.keys()
    for sentence, weights in expected.items():
        np.testing.assert_allclose(found[sentence], weights, atol=FLOAT16)


def test_a_hybrid_is_measured_alike_in_smaller_batches(cramped):
    loaded, hook = cramped
    features = features_of(loaded)
    spec = HybridSpec.of(loaded.info.id, [(HeadId(1, 2), BASELINES["same token"])])
    notes: list[str] = []
    found = evaluate_hybrid(loaded, spec, features, halving=Halving(notes.append))
    hook.remove()
    expected = evaluate_hybrid(loaded, spec, features)
    assert notes
    assert found.ppl == pytest.approx(expected.ppl, rel=1e-4)
    assert (found.passages, found.kept) == (expected.passages, expected.kept)


def test_a_hybrid_is_calibrated_alike_in_smaller_batches(cramped):
    loaded, hook = cramped
    features = features_of(loaded)
    train, validation = features.select(range(5)), features.select(range(5, 8))
    source = "def attend(q, k):\n    return 0.5 + 2.0 * k.is_first\n"
    spec = HybridSpec.of(loaded.info.id, [(head, source) for head in loaded.info.head_ids()])
    notes: list[str] = []
    found = calibrate(loaded, spec, train, validation, steps=3, halving=Halving(notes.append))
    hook.remove()
    expected = calibrate(loaded, spec, train, validation, steps=3)
    assert notes
    assert expected.after < expected.before
    assert found.after == pytest.approx(expected.after, rel=1e-3)


def test_the_search_finds_the_same_programs_with_fewer_heads_at_a_time(tiny_loaded: TinyLoaded):
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded)
    maps = {
        one.sentence: one.weights[0].astype(np.float32)
        for one in extract(loaded, features, range(len(features)))
    }
    halving = Halving()
    list(halving.run(range(2), doubled(most=1)[0]))  # from now on one head at a time
    train, validation = features.select(range(3)), features.select(range(3, 4))
    at_once, one_by_one = (
        prepare_search(train, validation, True, SearchLimits(rules=5), halving=used).propose(maps)
        for used in (Halving(), halving)
    )
    assert [program.id for program in one_by_one] == [program.id for program in at_once]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc, so no figure of memory")
def test_freed_memory_between_what_is_in_use_is_given_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("this C library gives memory back by itself, or not at all")
    blocks = [bytearray(b"x" * 2**16) for _ in range(4000)]  # 260 MB
    blocks = blocks[::100]
    before = resident()
    give_back()
    assert before - resident() > 50e6
    assert len(blocks) == 40


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

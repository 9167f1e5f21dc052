"""Calibration through the frozen model."""

import torch

from core.corpus import load_corpus
from core.features import annotate
from core.hybrid.calibrate import calibrate
from core.language import parse
from core.types import HybridSpec
from tests.conftest import TinyLoaded

PROGRAM = '''def attend(q, k):
    """Looks near; keeps this comment."""
    weight = 1.0  # a start
    if k.is_first:
        weight *= 3
    weight *= 0.9 ** (q.index - k.index)
    return weight
'''


def test_calibration_lowers_kl_on_validation_and_moves_numbers_only(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    sentences = load_corpus().sentences
    features = annotate(sentences[:12], loaded.tokenizer, loaded.embeddings())
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    spec = HybridSpec.of(loaded.info.id, [(head, PROGRAM) for head in loaded.info.head_ids()])
    heard: list[tuple[int, int]] = []
    found = calibrate(
        loaded,
        spec,
        features.select(range(8)),
        features.select(range(8, 12)),
        steps=20,
        tell=lambda done, total: heard.append((done, total)),
    )
    assert found.after < 0.97 * found.before
    assert heard[0] == (0, 20)
    assert len({source for _, source in found.spec.programs}) > 1  # each head its own constants
    for (head, source), (same, _) in zip(found.spec.programs, spec.programs, strict=True):
        assert head == same
        lines = parse(source).source.split("\n")
        assert lines[1] == PROGRAM.split("\n")[1]
        assert lines[2].endswith("  # a start")
        assert lines[3] == "    if k.is_first:"
    for name, value in loaded.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_programs_without_constants_come_back_as_they_were(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = annotate(load_corpus().sentences[:4], loaded.tokenizer, loaded.embeddings())
    source = "def attend(q, k):\n    return k.is_first\n"
    spec = HybridSpec.of(loaded.info.id, [(loaded.info.head_ids()[0], source)])
    found = calibrate(loaded, spec, features.select([0, 1]), features.select([2, 3]), steps=5)
    assert found.spec == spec
    assert found.before == found.after


def test_constants_that_make_a_program_fail_are_no_gain_and_stop_the_search(tiny_loaded: TinyLoaded) -> None:
    """The nearer the square root comes to 0 the better, but below 0 it fails: the head's own attention."""
    loaded = tiny_loaded("llama")
    features = annotate(load_corpus().sentences[:6], loaded.tokenizer, loaded.embeddings())
    source = (
        "def attend(q, k):\n    if k.is_first:\n"
        "        return 1.0 + 90.0 * sqrt(1.0 - 0.9 * k.is_first)\n    return 1.0\n"
    )
    spec = HybridSpec.of(loaded.info.id, [(loaded.info.head_ids()[0], source)])
    steps: list[int] = []
    found = calibrate(
        loaded,
        spec,
        features.select(range(4)),
        features.select([4, 5]),
        steps=40,
        tell=lambda done, total: steps.append(done),
    )
    assert found.spec == spec
    assert found.after == found.before > 0.01
    assert [step for step, _ in found.history] == [0]  # later constants fail
    assert steps[-1] == 19  # two looks at validation without a gain

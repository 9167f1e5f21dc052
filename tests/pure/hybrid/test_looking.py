"""Hybrids whose programs look at other heads: what a reference reads in a forward pass."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.corpus import load_corpus
from core.errors import HybridError
from core.features import Features, annotate, annotate_ids, annotate_prefixes
from core.hybrid import PrefixPatterns, ProgramPatterns, hybrid, load_hybrid, replaced, ship
from core.hybrid.calibrate import calibrate
from core.hybrid.costs import measured_costs, scores
from core.hybrid.generate import generate
from core.hybrid.looking import Looking, Run
from core.hybrid.order import estimated_kl
from core.hybrid.perplexity import Variant, evaluate_hybrid, measure
from core.language import Evaluator, Looks, ParsedProgram, parse
from core.models.attention import padded_ids
from core.models.patching import PATTERNS
from core.models.pretrained import LoadedModel
from core.types import HeadId, HybridSpec
from tests import architectures, tiny
from tests.conftest import TinyLoaded, TinyModel
from tests.planted_heads import layers_that_attend

UNIFORM = "def attend(q, k):\n    return 1.0\n"
NEAR = "def attend(q, k):\n    return 0.5 ** (q.index - k.index)\n"
FIRST = "def attend(q, k):\n    return k.is_first\n"
AHEAD = 'def attend(q, k):\n    return 1.0 + 9.0 * (k.next.lower == "the") + (k.pos == "NOUN")\n'
FAILS_ON_COMMA = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'


def copy_of(head: str) -> str:
    return f'def attend(q, k):\n    return look("{head}", q, k)\n'


def features_of(loaded: LoadedModel, count: int = 4) -> Features:
    return annotate(load_corpus().sentences[:count], loaded.tokenizer, loaded.embeddings())


def commas(features: Features) -> list[bool]:
    return [any(t.values["text"] == "," for t in features.tokens(row)) for row in range(len(features))]


def own_attention(loaded: LoadedModel, features: Features) -> tuple[Tensor, ...]:
    """Each layer's weights [sentence, head, query, key] in the untouched model."""
    ids, mask = padded_ids(features, range(len(features)), loaded.device)
    with torch.inference_mode():
        found: tuple[Tensor, ...] = loaded.model(
            input_ids=ids, attention_mask=mask, output_attentions=True
        ).attentions
    return found


def hybrid_logits(loaded: LoadedModel, features: Features, programs: Mapping[str, str]) -> list[Tensor]:
    """Logits [token, vocabulary] of each sentence."""
    spec = HybridSpec.of(loaded.info.id, [(HeadId.parse(head), source) for head, source in programs.items()])
    with hybrid(loaded, spec) as patched:
        found = patched.logits(features, range(len(features)))
    assert not PATTERNS
    return [found[row, :n] for row, n in enumerate(features.lengths)]


def assert_alike(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, *tiny.PECULIAR])
def test_a_reference_reads_the_heads_own_attention_where_it_is_not_replaced(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    """What the program gives is that head's attention in the untouched model, in rows that sum to 1."""
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 3)
    looked, head = HeadId(0, 1), HeadId(1, 2)
    expected = own_attention(loaded, features)[0][:, 1]
    source = ProgramPatterns({head: parse(copy_of("L0H1"))}, loaded.info.is_causal, loaded.device)
    with replaced(loaded, source) as patched, torch.inference_mode():
        passed = patched.passed(features, range(3), source.patterns(features), frozenset([looked, head]))
    for row, n in enumerate(features.lengths):
        own = expected[row, :n, :n]
        torch.testing.assert_close(passed.seen[looked][row, :n, :n], own, atol=1e-5, rtol=0)
        rows = own / own.sum(-1, keepdim=True)
        found = passed.seen[head][row, :n, :n]
        if architecture in ("gemma3", "gemma2", "gpt_oss"):  # of its two layers one has a window
            rows = rows * (found > 0)
            rows = rows / rows.sum(-1, keepdim=True)
        found = found / found.sum(-1, keepdim=True)  # of a head with a sink they sum to less
        torch.testing.assert_close(found, rows, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, *tiny.PECULIAR])
def test_a_reference_reads_the_program_where_the_head_is_replaced(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded)
    assert_alike(
        hybrid_logits(loaded, features, {"L1H1": NEAR, "L2H3": copy_of("L1H1")}),
        hybrid_logits(loaded, features, {"L1H1": NEAR, "L2H3": NEAR}),
    )


@pytest.mark.parametrize("kind", ["mpt", "bloom", "albert"])
def test_so_it_is_without_an_interface_and_where_layers_share_a_module(kind: str) -> None:
    loaded = architectures.loaded(kind)
    features = features_of(loaded, 2)
    assert_alike(
        hybrid_logits(loaded, features, {"L1H1": NEAR, "L2H3": copy_of("L1H1")}),
        hybrid_logits(loaded, features, {"L1H1": NEAR, "L2H3": NEAR}),
    )
    source = ProgramPatterns({HeadId(1, 2): parse(copy_of("L0H1"))}, loaded.info.is_causal, "cpu")
    watched = frozenset([HeadId(0, 1)])
    with replaced(loaded, source) as patched, torch.inference_mode():
        passed = patched.passed(features, range(2), source.patterns(features), watched)
        alone = patched.passed(features, range(2), None, watched)
    own = own_attention(loaded, features)[0][:, 1]
    for row, n in enumerate(features.lengths):
        for found in (passed, alone):
            found_rows = found.seen[HeadId(0, 1)][row, :n, :n]
            torch.testing.assert_close(found_rows, own[row, :n, :n], atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3", "mistral", "bert"])
def test_references_lead_from_layer_to_layer_and_within_a_layer(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded)
    chain = {"L0H0": NEAR, "L1H1": copy_of("L0H0"), "L1H3": copy_of("L1H1"), "L2H2": copy_of("L1H3")}
    found = hybrid_logits(loaded, features, chain)
    assert_alike(found, hybrid_logits(loaded, features, dict.fromkeys(chain, NEAR)))
    del chain["L0H0"]
    others = hybrid_logits(loaded, features, chain)
    assert (others[0] - found[0]).abs().max() > 1e-3
    own = {head: copy_of("L0H0") for head in chain}  # every one from the head itself
    assert_alike(others, hybrid_logits(loaded, features, own))


def test_a_reference_reads_other_rows_and_keys_too(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded)
    source = 'def attend(q, k):\n    return look("L0H2", q.prev, k)\n'
    before = "def attend(q, k):\n    if k == q:\n        return 0.0\n    return 0.5 ** (q.index - k.index)\n"
    assert_alike(
        hybrid_logits(loaded, features, {"L0H2": NEAR, "L1H0": source}),
        hybrid_logits(loaded, features, {"L0H2": NEAR, "L1H0": before}),
    )


def test_where_a_program_fails_those_that_look_read_the_head_itself(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 6)
    fails = commas(features)
    assert any(fails)
    assert not all(fails)
    for program in (FAILS_ON_COMMA, FAILS_ON_COMMA.replace("1.0", 'look("L0H0", q, k) * 0 + 1')):
        found = hybrid_logits(loaded, features, {"L1H1": program, "L2H3": copy_of("L1H1")})
        alone = hybrid_logits(loaded, features, {"L2H3": copy_of("L1H1")})
        both = hybrid_logits(loaded, features, {"L1H1": UNIFORM, "L2H3": UNIFORM})
        expected = [alone[row] if failed else both[row] for row, failed in enumerate(fails)]
        assert_alike(found, expected)


def test_a_program_that_looks_and_fails_leaves_its_head_alone_and_is_counted(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 6)
    fails = commas(features)
    source = FAILS_ON_COMMA.replace("1.0", 'look("L0H0", q, k)')
    found = hybrid_logits(loaded, features, {"L1H1": source})
    untouched = hybrid_logits(loaded, features, {})
    copied = hybrid_logits(loaded, features, {"L1H1": copy_of("L0H0")})
    assert_alike(found, [untouched[row] if failed else copied[row] for row, failed in enumerate(fails)])
    spec = HybridSpec.of(loaded.info.id, [(HeadId(1, 1), source)])
    with hybrid(loaded, spec) as patched:
        patched.logits(features, range(6))
        assert patched.failures == sum(fails) > 0
    assert evaluate_hybrid(loaded, spec, features).kept == sum(fails)


def test_only_heads_that_are_looked_at_are_kept_and_not_their_whole_layers(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 2)
    source = source_of(loaded)
    ids, mask = padded_ids(features, range(2), loaded.device)
    with (
        replaced(loaded, source) as patched,
        torch.inference_mode(),
        patched.attending(source.patterns(features)) as passing,
    ):
        loaded.model(input_ids=ids, attention_mask=mask)
    assert passing.seen.keys() == {HeadId(0, 0), HeadId(0, 2), HeadId(1, 1), HeadId(1, 3)}
    assert all(len(maps.untyped_storage()) == 4 * maps.numel() for maps in passing.seen.values())


def test_a_layer_of_programs_that_look_at_programs_skips_its_own_attention(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 1)
    programs = {"L1H0": NEAR} | {f"L1H{at}": copy_of(f"L1H{at - 1}") for at in range(1, tiny.HEADS)}
    with layers_that_attend() as layers:
        hybrid_logits(loaded, features, programs | {"L2H0": copy_of("L1H3")})
    assert layers == [0, 2]


@pytest.mark.parametrize("architecture", [*tiny.CAUSAL, *tiny.PECULIAR])
def test_text_from_a_hybrid_is_what_whole_forward_passes_would_write(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    """Past any window, with references to a head of its own, to a program, and to an earlier row."""
    loaded = tiny_loaded(architecture)
    row_before = 'def attend(q, k):\n    return look("L1H0", q.prev, k) + 0.3 * look("L0H1", q, k)\n'
    programs = {"L1H0": NEAR, "L1H2": copy_of("L0H1"), "L2H0": copy_of("L1H2"), "L2H1": row_before}
    spec = HybridSpec.of(loaded.info.id, [(HeadId.parse(head), source) for head, source in programs.items()])
    prompt = "Once upon a time there was a fox"
    ids = list(loaded.tokenizer(prompt)["input_ids"])
    start = loaded.tokenizer.decode(ids, skip_special_tokens=True)
    with hybrid(loaded, spec) as patched:
        for _ in range(12):
            features = annotate_ids(ids, loaded.tokenizer)
            ids.append(int(patched.logits(features, [0])[0, -1].argmax()))
    expected = loaded.tokenizer.decode(ids, skip_special_tokens=True)[len(start) :]
    found = "".join(generate(loaded, spec, prompt, 12))
    assert expected.startswith(found)  # a last character that is not whole is held back
    assert len(found) >= len(expected.rstrip("\ufffd"))


def test_what_fails_while_text_is_written_is_told(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    source = FAILS_ON_COMMA.replace("1.0", 'look("L0H0", q, k)')
    spec = HybridSpec.of(loaded.info.id, [(HeadId(1, 1), source), (HeadId(2, 2), copy_of("L1H1"))])
    for prompt, kept in (("Once upon a time", 0), ("Once, upon a time", 1)):
        heard: list[int] = []
        list(generate(loaded, spec, prompt, 3, tell=heard.append))
        assert heard == [kept] * 3


def test_strict_references_read_rows_that_saw_no_further_than_their_query(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    sentences = load_corpus().sentences[:2]
    features = annotate(sentences, loaded.tokenizer)
    prefixes = {s.id: annotate_prefixes(s, loaded.tokenizer) for s in sentences}

    def strict(programs: Mapping[HeadId, str]) -> Variant:
        parsed = {head: parse(source) for head, source in programs.items()}
        return Variant(PrefixPatterns(parsed, prefixes, "cpu"), frozenset(parsed))

    def usual(programs: Mapping[HeadId, str]) -> Variant:
        parsed = {head: parse(source) for head, source in programs.items()}
        return Variant(ProgramPatterns(parsed, True, "cpu"), frozenset(parsed))

    ahead = {HeadId(1, 1): AHEAD, HeadId(2, 3): copy_of("L1H1")}
    plain = {HeadId(1, 1): NEAR, HeadId(2, 2): copy_of("L0H3"), HeadId(2, 3): copy_of("L1H1")}
    losses = measure(
        loaded,
        [strict(ahead), strict(dict.fromkeys(ahead, AHEAD)), usual(ahead), strict(plain), usual(plain)],
        features,
    )
    np.testing.assert_allclose(losses.changed[0], losses.changed[1], atol=1e-4)
    assert np.abs(losses.changed[0] - losses.changed[2]).max() > 1e-3
    np.testing.assert_allclose(losses.changed[3], losses.changed[4], atol=1e-4)
    assert not losses.kept.any()


LOOKING = {
    HeadId(0, 0): parse(NEAR),
    HeadId(0, 2): parse(UNIFORM),
    HeadId(1, 1): parse('def attend(q, k):\n    return (look("L0H0", q, k) + 0.01) ** 0.7\n'),
    HeadId(1, 3): parse('def attend(q, k):\n    return look("L1H1", q.prev, k) + 0.2 * k.is_first\n'),
    HeadId(2, 2): parse('def attend(q, k):\n    return look("L1H3", q, k) + look("L0H2", q, k) + 0.01\n'),
}


def source_of(loaded: LoadedModel, programs: Mapping[HeadId, ParsedProgram] = LOOKING) -> ProgramPatterns:
    return ProgramPatterns(programs, loaded.info.is_causal, loaded.device)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma3"])
def test_measured_costs_are_those_of_hybrids_with_one_head(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = features_of(loaded, 3)
    source = source_of(loaded)
    found = measured_costs(loaded, source, features, [2, 0, 1])
    losses = measure(loaded, [Variant(source, frozenset([head])) for head in source.heads], features)
    for at, head in enumerate(found.heads):
        assert head == source.heads[at]
        expected = np.bincount(losses.rows, losses.kl[at])
        np.testing.assert_allclose(found.kl[[1, 2, 0], at], expected, atol=1e-4)
        assert expected.max() > 1e-3


class Mixed:
    """Programs of which some are in the place of their heads only in part."""

    def __init__(self, loaded: LoadedModel, shares: Mapping[HeadId, float]) -> None:
        self.source = source_of(loaded)
        self.heads = self.source.heads
        self.shares = shares

    def patterns(self, features: Features):  # type: ignore[no-untyped-def]
        found = self.source.patterns(features)
        shares = torch.tensor([[self.shares.get(head, 0.0) for head in self.heads]] * len(features))
        return replace(found, mix=shares)


def test_estimated_costs_are_the_kl_of_small_replacements(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 4)
    step = 0.05
    estimated = estimated_kl(scores(loaded, source_of(loaded), features, range(4), draws=400))
    variants = [Variant(Mixed(loaded, {head: step}), frozenset(LOOKING)) for head in LOOKING]
    losses = measure(loaded, variants, features)
    for at, head in enumerate(LOOKING):
        assert estimated[head] == pytest.approx(float(losses.kl[at].mean()) / step**2, rel=0.35)


def test_the_slope_of_kl_reaches_through_references_of_replaced_heads(tiny_loaded: TinyLoaded) -> None:
    """What replacing L0H0 costs is also what L1H1, L1H3 and L2H2, replaced already, then read."""
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 2)
    taken = frozenset(LOOKING) - {HeadId(0, 0)}
    slope = scores(loaded, source_of(loaded), features, [0, 1], taken).slope.sum(0)
    small = 1e-2
    for head in (HeadId(0, 0), HeadId(1, 1)):
        start = dict.fromkeys(taken, 1.0)
        moved = [start | {head: start.get(head, 0.0) + step} for step in (-small, small)]
        variants = [Variant(Mixed(loaded, shares), frozenset(LOOKING)) for shares in moved]
        low, high = measure(loaded, variants, features).kl.sum(1, dtype=float)
        expected = (high - low) / (2 * small)
        assert slope[sorted(LOOKING).index(head)] == pytest.approx(expected, rel=0.05, abs=1e-3)


def test_a_program_run_anew_for_its_gradient_has_the_gradient_it_would_have_had(
    tiny_loaded: TinyLoaded,
) -> None:
    features = features_of(tiny_loaded("llama"), 3)
    head, length = HeadId(1, 1), int(features.lengths.max())
    program = parse(
        'def attend(q, k):\n    return (look("L0H0", q, k) + 0.1) ** 0.7 * look("L0H1", q.prev, k)\n'
    )
    found = []
    for is_anew in (True, False):
        torch.manual_seed(0)
        seen = {one: torch.rand(3, length, length).requires_grad_() for one in sorted(program.looks)}
        weighed = torch.rand(3, length, length)

        def start(looks: Looks) -> Run:
            evaluator = Evaluator(features, looks=looks)
            return lambda head, constants: evaluator.run(program)

        if is_anew:
            looking = Looking({head: program}, start)
            weights = looking.run(start(seen), head, seen).weights
        else:
            weights = start(seen)(head, None).weights
        found.append(torch.autograd.grad((weights * weighed).sum(), list(seen.values())))
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-5)
    assert all(gradient.abs().max() > 1e-3 for gradient in found[0])


def test_calibration_moves_a_constant_through_the_program_that_reads_it(tiny_loaded: TinyLoaded) -> None:
    """L0H0 itself writes nothing here: its constant counts only for what L1H1 reads."""
    loaded = tiny_loaded("gpt2")
    features = features_of(loaded, 12)
    writes = loaded.model.transformer.h[0].attn.c_proj.weight
    before = writes.clone()
    spread = "def attend(q, k):\n    return 1.0 + 90.0 * k.is_first\n"
    found = {}
    try:
        with torch.no_grad():
            writes[: writes.shape[0] // tiny.HEADS] = 0
        for program in (copy_of("L0H0"), FIRST):
            spec = HybridSpec.of(loaded.info.id, [(HeadId(0, 0), spread), (HeadId(1, 1), program)])
            train, validation = features.select(range(8)), features.select(range(8, 12))
            found[program] = calibrate(loaded, spec, train, validation, steps=20)
    finally:
        with torch.no_grad():
            writes.copy_(before)
    assert dict(found[FIRST].spec.programs)[HeadId(0, 0)] == spread
    through = found[copy_of("L0H0")]
    assert through.after < through.before
    assert dict(through.spec.programs)[HeadId(0, 0)] != spread
    assert dict(through.spec.programs)[HeadId(1, 1)] == copy_of("L0H0")


def test_calibration_fits_the_constants_of_programs_that_look(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    features = features_of(loaded, 12)
    spec = HybridSpec.of(loaded.info.id, ((head, program.source) for head, program in LOOKING.items()))
    found = calibrate(loaded, spec, features.select(range(8)), features.select(range(8, 12)), steps=20)
    assert found.after < 0.97 * found.before
    assert dict(found.spec.programs)[HeadId(1, 1)] != LOOKING[HeadId(1, 1)].source


@pytest.mark.parametrize(
    ("head", "source", "message"),
    [
        (HeadId(1, 1), copy_of("L1H1"), "looks at L1H1, which does not come before L1H1"),
        (HeadId(1, 1), copy_of("L1H2"), "of its own layer at those with a lower number"),
        (HeadId(1, 1), copy_of("L2H0"), "looks at L2H0, which does not come before L1H1"),
        (HeadId(1, 1), copy_of("L0H7"), "looks at L0H7, which does not exist: .* 3 layers of 4 heads"),
    ],
)
def test_a_program_that_may_not_look_there_is_refused_before_any_work(
    head: HeadId, source: str, message: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded("gpt2")
    spec = HybridSpec.of(loaded.info.id, [(head, source)])
    with pytest.raises(HybridError, match=message), hybrid(loaded, spec):
        pass
    assert loaded.model.config._attn_implementation == "eager"


def test_a_shipped_hybrid_is_loaded_with_the_same_logits_and_says_what_it_reads(
    tiny_loaded: TinyLoaded, tiny_model: TinyModel, tmp_path: Path
) -> None:
    loaded = tiny_loaded("llama")
    spec = HybridSpec.of(loaded.info.id, ((head, program.source) for head, program in LOOKING.items()))
    ship(tmp_path / "hybrid", loaded.info, spec, {}, weights=loaded.weights())
    found = load_hybrid(tmp_path / "hybrid", str(tiny_model("llama")), device="cpu")
    assert found.spec.programs == spec.programs
    text = "Once upon a time"
    expected = type(found)(loaded, spec, {}).logits([text])
    torch.testing.assert_close(found.logits([text]), expected, rtol=0, atol=0)
    card = (tmp_path / "hybrid" / "README.md").read_text()
    assert "3 of the programs look at other heads" in card

"""The search: its rules mean what they are written as, and it finds what was planted."""

from __future__ import annotations

import random
import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from core.corpus import load_corpus
from core.errors import ProposerError
from core.features import NO_PIPELINE, Features, annotate
from core.language import Evaluator, ParsedProgram, evaluate, parse, references
from core.proposers import SearchLimits
from core.proposers.search.goal import Goal, goal_of
from core.proposers.search.grammar import FIRST, Compound, compound, grammar_of, quoted
from core.proposers.search.part_values import Values
from core.proposers.search.phrases import phrase_of_text
from core.proposers.search.propose import Search, prepare_search
from core.proposers.search.refit import Fields, fields, ious, limits_of, logits_of, refit, spread_of
from core.proposers.search.rule import Rule
from core.proposers.search.select import select
from core.proposers.search.write import written
from core.scoring import BASELINES, program_maps, sentence_ious
from core.types import HeadId, Sentence, Split
from tests import tiny

PLANTED = {
    "sink": """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 28
    if k.is_punct:
        weight *= 19
    return weight
""",
    "decay": """def attend(q, k):
    weight = 0.8 ** (q.index - k.index)
    if k.lower == q.lower and k != q:
        weight *= 12
    return weight
""",
    "conjunction": """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 6
    if q.is_punct and k == q.prev:
        weight *= 300
    return weight
""",
    "words": """def attend(q, k):
    weight = 1.0
    if k.lower in {"the", "a", ","}:
        weight *= 60
    return weight
""",
}
AHEAD = """def attend(q, k):
    weight = 1.0
    if k == q.next:
        weight *= 90
    if k.next == None:
        weight *= 25
    return weight
"""
SPLITS = (Split.TRAIN, Split.VALIDATION)


@cache
def features_of(count: int = 40, is_causal: bool = True) -> dict[Split, Features]:
    sentences = load_corpus().sentences[:count]
    tokenizer = tiny.tokenizer("sentencepiece" if is_causal else "wordpiece")
    return {split: annotate([s for s in sentences if s.split == split], tokenizer) for split in SPLITS}


@cache
def search_of(is_causal: bool = True, rules: int = 12) -> Search:
    found = features_of(is_causal=is_causal)
    return prepare_search(*(found[split] for split in SPLITS), is_causal, SearchLimits(rules))


def maps_of(
    sources: list[str], features: dict[Split, Features], is_causal: bool = True
) -> dict[str, np.ndarray]:
    """A layer whose heads do exactly what these programs say."""
    maps = {}
    for split in features.values():
        evaluator = Evaluator(split, is_causal)
        weights = torch.stack([evaluator.run(parse(source)).weights for source in sources], dim=1)
        for row, sentence in enumerate(split.sentences):
            n = int(split.lengths[row])
            maps[sentence] = weights[row, :, :n, :n].numpy()
    return maps


def noisy(maps: dict[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """The maps with noise in them, rows still summing to 1."""
    rng = np.random.default_rng(seed)
    loud = {name: m * np.exp(rng.normal(0, 0.7, m.shape)) for name, m in maps.items()}
    return {name: (m / m.sum(-1, keepdims=True)).astype(np.float32) for name, m in loud.items()}


def fit(source: str, maps: dict[str, np.ndarray], head: int, is_causal: bool = True) -> float:
    """IoU on validation."""
    features = features_of(is_causal=is_causal)[Split.VALIDATION]
    return float(sentence_ious(program_maps([parse(source)], features, is_causal), maps)[0, head].mean())


def some_rules(values: Values, count: int, seed: int = 0) -> list[Rule]:
    """Rules of every kind."""
    rng, grammar = random.Random(seed), values.grammar
    kinds = (
        lambda: Rule(key=rng.choice(grammar.tokens)),
        lambda: Rule(relation=rng.choice(grammar.relations)),
        lambda: Rule(law=rng.choice(grammar.laws)),
        lambda: Rule(key=FIRST, law=rng.choice(grammar.sink_laws)),
        lambda: Rule(query=rng.choice(grammar.tokens), key=rng.choice(grammar.tokens)),
        lambda: Rule(query=rng.choice(grammar.tokens), relation=rng.choice(grammar.relations)),
        lambda: Rule(key=rng.choice(grammar.tokens), relation=rng.choice(grammar.relations)),
        lambda: Rule(key_words=("\n", "the")),
        lambda: Rule(key=compound(grammar.tokens[0], grammar.tokens[5])),
        lambda: Rule(key=FIRST, query_words=('"', "a", "nowhere")),
    )
    return [kinds[at % len(kinds)]() for at in range(count)]


# Rules and the programs they are written as


@pytest.mark.parametrize("is_causal", [True, False])
def test_a_rule_is_worth_what_its_source_says(is_causal: bool) -> None:
    search = search_of(is_causal)
    layout = search.train.layout
    for rule in some_rules(search.train, 90):
        exponent = (rule.law.of() if rule.law else "1") + " + 0"
        source = f"({exponent}) if {rule.condition} else 0" if rule.condition else exponent
        expected = layout.values(source)
        assert expected is not None
        expected = expected[layout.square] * layout.is_real
        torch.testing.assert_close(search.train.of(rule), expected, msg=lambda text, r=rule: f"{r}: {text}")


@pytest.mark.parametrize("is_causal", [True, False])
def test_a_written_program_gives_the_weights_that_were_fitted(is_causal: bool) -> None:
    values = search_of(is_causal).train
    layout = values.layout
    for seed in range(6):
        rules = list(dict.fromkeys(some_rules(values, 9, seed)))
        constants = [f"{random.Random(seed + at).uniform(0.3, 3):.2f}" for at in range(len(rules))]
        logs = torch.tensor([float(constant) for constant in constants]).log()
        powers = torch.stack([values.of(rule) for rule in rules])
        logits = logits_of(logs[None], [powers], torch.zeros(1, layout.cells))
        found = fields(layout, logits, torch.zeros_like(logits))
        squares = layout.to_squares(found.weights)[0]
        evaluated = Evaluator(layout.features, is_causal).run(
            parse(written(rules, [[constant] for constant in constants]))
        )
        for batch, square in zip(layout.evaluator.batches, layout.squares, strict=True):
            n = square.length
            torch.testing.assert_close(
                squares[square.cells].view(square.size, n, n),
                evaluated.weights[batch.rows, :n, :n],
                atol=1e-5,
                rtol=1e-4,
            )


@pytest.mark.parametrize("is_causal", [True, False])
def test_there_are_thousands_of_rules_and_no_part_twice(is_causal: bool) -> None:
    grammar = search_of(is_causal).train.grammar
    assert grammar.rules > 5_000
    sources = [part.of("k") for part in (*grammar.tokens, *grammar.relations, *grammar.laws)]
    assert len(set(sources)) == len(sources)
    assert all(part.phrase for part in (*grammar.tokens, *grammar.relations, *grammar.laws))


def test_a_docstring_says_what_the_strongest_rules_do() -> None:
    law = next(part for part in search_of().train.grammar.laws if part.of() == "q.index - k.index")
    digit = next(part for part in search_of().train.grammar.tokens if part.of("k") == "k.is_punct")
    rules = [Rule(key=FIRST), Rule(law=law), Rule(key=digit)]
    near = parse(written(rules, [["24"], ["0.8"], ["0.5"]])).docstring
    assert near == "Favours what is near; avoids punctuation; rests on the first token."
    far = parse(written(rules, [["0.4"], ["1.2"], ["2"]])).docstring
    assert far == "Avoids what is near and the first token; favours punctuation."
    assert parse(written([], [])).docstring == "Looks at all tokens alike."


def test_a_docstring_does_not_say_again_what_a_phrase_before_covers() -> None:
    grammar = search_of().train.grammar
    law = next(part for part in grammar.laws if part.of() == "q.index - k.index")
    nearest = next(part for part in grammar.relations if part.of() == "q.index - k.index < 3")
    mark = next(part for part in grammar.tokens if part.of("k") == "k.is_punct")
    start = next(part for part in grammar.relations if part.of() == "k == q")
    rules = [Rule(key=mark), Rule(relation=nearest), Rule(law=law), Rule(key=mark, relation=start)]
    said = parse(written(rules, [["2"], ["2"], ["0.8"], ["2"]])).docstring
    assert said == "Favours punctuation, the nearest 3 tokens and itself among punctuation."
    rules = [Rule(relation=start), Rule(law=law), Rule(relation=nearest), Rule(key=mark, relation=start)]
    said = parse(written(rules, [["2"], ["0.8"], ["2"], ["2"]])).docstring
    assert said == "Favours itself and what is near."


# Fitting and screening


def fields_of(search: Search, maps: dict[str, np.ndarray], seed: int = 3) -> Fields:
    """How the heads stand after a few arbitrary rules."""
    layout = search.train.layout
    powers = torch.stack([search.train.of(rule) for rule in some_rules(search.train, 4, seed)])
    targets = layout.targets(maps)
    logs = torch.full((len(targets), 4), 0.2)
    return fields(
        layout, logits_of(logs, powers.expand(len(targets), -1, -1), torch.zeros_like(targets)), targets
    )


def test_the_ascent_is_the_gradient_of_the_loss() -> None:
    search = search_of()
    layout = search.train.layout
    targets = layout.targets(noisy(maps_of([PLANTED["decay"]], features_of())))
    logits = torch.randn(1, layout.cells, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = logits.new_zeros(())
    for block, rows in layout.row_views(torch.where(layout.is_real, logits, -1e30)):
        distance = (rows.softmax(-1) - targets[:, block.cells].view_as(rows)).abs().sum(-1)
        loss = loss + (distance * layout.share[block.cells].view(-1, block.keys)[:, 0]).sum()
    (expected,) = torch.autograd.grad(loss, logits)
    found = fields(layout, logits.detach(), targets)
    torch.testing.assert_close(found.ascent, -expected, atol=1e-8, rtol=1e-3)


def is_compound(rule: Rule) -> bool:
    return isinstance(rule.key, Compound) or isinstance(rule.query, Compound)


def test_gains_of_the_screen_are_those_of_the_rules_one_by_one() -> None:
    search = search_of()
    assert search.screen is not None
    found = fields_of(search, noisy(maps_of(list(PLANTED.values()), features_of())))
    for head, ranked in enumerate(search.screen.rank(found)):
        exact = [  # of a key's condition joined to a relation, and of words, only a bound is known
            (gain, rule)
            for gain, rule in ranked
            if not (rule.key_words or rule.query_words or (rule.relation and rule.key) or is_compound(rule))
        ]
        assert len(exact) > 20
        rules = [rule for _, rule in exact]
        one = Fields(
            found.weights[head, None], found.ascent[head, None], found.targets[head, None], found.ious
        )
        again = {rule: gain for gain, rule in search.screen.again(one, [rules])[0]}
        for gain, rule in exact:
            assert again[rule] == pytest.approx(gain, rel=0.02, abs=1e-7), rule


def test_ranks_are_in_order_of_gain() -> None:
    search = search_of()
    assert search.screen is not None
    found = fields_of(search, maps_of([PLANTED["words"]], features_of()))
    gains = [gain for gain, _ in search.screen.rank(found)[0]]
    assert all(a >= b for a, b in pairwise(gains))


def test_a_refit_is_never_worse_and_finds_the_constant() -> None:
    search = search_of()
    layout = search.train.layout
    targets = layout.targets(maps_of([PLANTED["sink"]], features_of()))
    punctuation = next(part for part in search.train.grammar.tokens if part.of("k") == "k.is_punct")
    powers = torch.stack([search.train.of(Rule(key=part)) for part in (FIRST, punctuation)])
    start, limits = torch.tensor([[1.0, 1.0]]), limits_of(powers)[None]
    goal = Goal(targets, torch.zeros_like(targets))
    before = ious(layout, logits_of(start, [powers], goal.bases), targets)
    constants, after = refit(layout, start, limits, [powers], goal, steps=30)
    assert after > before
    assert constants.exp().tolist()[0] == pytest.approx([28, 19], rel=0.1)
    assert refit(layout, constants, limits, [powers], goal, steps=1)[1] >= after
    weights = fields(layout, logits_of(start, [powers], goal.bases), targets).weights[0]
    assert (spread_of(layout, weights, powers) > 0).all()


# Programs


def test_planted_programs_are_found() -> None:
    maps = maps_of(list(PLANTED.values()), features_of())
    found = search_of().propose(maps)
    for head, (name, program) in enumerate(zip(PLANTED, found, strict=True)):
        enough = 0.85 if name in ("decay", "words") else 0.95  # these may be pieced together from others
        assert fit(program.source, maps, head) > enough, f"{name}:\n{program.source}"
    assert "k.is_punct" in found[0].source
    assert re.search(r'k\.lower (in \{[^}]*|== )"the"', found[3].source)


def test_an_encoders_programs_look_ahead() -> None:
    maps = maps_of([AHEAD], features_of(is_causal=False), is_causal=False)
    (found,) = search_of(is_causal=False).propose(maps)
    assert fit(found.source, maps, 0, is_causal=False) > 0.9, found.source


def test_programs_are_short_and_every_rule_is_worth_its_line() -> None:
    maps = noisy(maps_of(list(PLANTED.values()), features_of()))
    for head, program in enumerate(search_of(rules=3).propose(maps)):
        whole = fit(program.source, maps, head)
        rules = re.findall(r"(?:    if .*\n    )?    weight \*= .*\n", program.source)
        assert 1 <= len(rules) <= 3, program.source
        for rule in rules:
            without = fit(program.source.replace(rule, ""), maps, head)
            assert whole - without > 0.002 - 0.001, f"{rule} of\n{program.source}"  # rounding may cost 0.001


SINK_AND_MARKS = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 60
    if k.is_punct:
        weight *= 8
    return weight
"""


def test_sizes_decide_which_errors_count() -> None:
    features = features_of()
    maps = noisy(maps_of([SINK_AND_MARKS], features))
    sizes = {}
    for sentence, held in maps.items():
        sizes[sentence] = np.ones(held.shape[::2], np.float32)
        sizes[sentence][:, 0] = 0.001  # what the first token carries
    of_weights, of_output = SearchLimits(rules=1, tables=False), SearchLimits(1, objective="output")
    splits = [features[split] for split in SPLITS]
    (plain,) = prepare_search(*splits, True, of_weights).propose(maps)
    searching = prepare_search(*splits, True, of_output, sizes=lambda layer: sizes, read=lambda layer: maps)
    ((_, (found,)),) = searching.over_layers({0: [0]})
    assert ["is_first" in program.source for program in (plain, found)] == [True, False]
    assert ["is_punct" in program.source for program in (plain, found)] == [False, True]


def test_sizes_that_are_all_alike_change_nothing() -> None:
    layout = search_of().train.layout
    maps = noisy(maps_of(list(PLANTED.values()), features_of()))
    plain = goal_of(layout, maps)
    alike = goal_of(
        layout, maps, {name: np.full(held.shape[:2], 3.0, np.float32) for name, held in maps.items()}
    )
    assert torch.allclose(alike.targets, plain.targets, atol=1e-6)
    assert alike.bases.abs().max() < 1e-6


def test_the_objective_output_needs_sizes() -> None:
    features = features_of()
    with pytest.raises(ProposerError, match="objective output: needs the lengths"):
        prepare_search(*(features[split] for split in SPLITS), True, SearchLimits(objective="output"))


def test_the_rules_worth_most_come_first() -> None:
    search = search_of()
    assert search.screen is not None
    maps = noisy(maps_of(list(PLANTED.values()), features_of()))
    goals = goal_of(search.train.layout, maps), goal_of(search.validation.layout, maps)
    for chosen in select(search.screen, search.validation, goals, search.limits):
        assert list(chosen.worth) == sorted(chosen.worth, reverse=True)
        assert len(chosen.rules) == len(chosen.worth)
        assert len(chosen.constants) == sum(rule.width for rule in chosen.rules)


def test_a_program_of_twelve_rules_has_at_most_thirty_lines() -> None:
    rules = [Rule(query=part, key=FIRST) for part in search_of().train.grammar.tokens[:12]]
    assert len(written(rules, [["2"]] * 12).splitlines()) <= 30


def test_the_same_search_finds_the_same_programs() -> None:
    maps = noisy(maps_of(list(PLANTED.values()), features_of()))
    found = features_of()
    again = prepare_search(*(found[split] for split in SPLITS), True)
    assert [p.source for p in again.propose(maps)] == [p.source for p in search_of().propose(maps)]


def test_layers_come_in_order_and_are_what_each_gives_alone() -> None:
    layers = {
        layer: maps_of([PLANTED[name]], features_of())
        for layer, name in ((2, "sink"), (5, "words"), (7, "decay"))
    }
    features = features_of()
    limits = SearchLimits(look="none")
    search = prepare_search(*(features[split] for split in SPLITS), True, limits, read=layers.__getitem__)
    found = dict(search.over_layers({layer: [0] for layer in layers}))
    assert list(found) == [2, 5, 7]
    for layer, programs in found.items():
        ((_, alone),) = search.over_layers({layer: [0]})
        assert [p.source for p in programs] == [p.source for p in alone]


def test_a_search_reads_no_sentence_beyond_those_it_was_handed() -> None:
    """With maps of train and validation only it needs no other; the test split is not among its sentences."""
    held_out = {s.id for s in load_corpus().sentences if s.split == Split.TEST}
    search = search_of()
    read = {*search.train.layout.features.sentences, *search.validation.layout.features.sentences}
    assert not held_out & read


# Other heads

FOLLOWS = """def attend(q, k):
    weight = (look("L3H1", q, k) + 0.002) ** 0.6
    if k.is_first:
        weight *= 3
    return weight
"""


FOLLOWS_FROM = """def attend(q, k):
    weight = 1.0
    if q.is_word_start:
        weight *= (look("L3H1", q, k) + 0.002) ** 0.9
    if k.is_first:
        weight *= 3
    return weight
"""
FOLLOWS_TOWARDS = FOLLOWS_FROM.replace("if q.is_word_start:", "if k.is_word_start:\n        weight *= 30")


def layers_with_a_follower(source: str = FOLLOWS) -> dict[int, dict[str, np.ndarray]]:
    """Layer 3 does what nobody can say; of layer 4 the second head follows one of it."""
    features = features_of()
    blurred = noisy(noisy(maps_of([PLANTED["decay"]] * 3, features), 1), 2)
    plain = maps_of([PLANTED["sink"]], features)
    follower = {}
    for split in features.values():
        looks = {HeadId(3, 1): [blurred[sentence][1] for sentence in split.sentences]}
        weights = evaluate(parse(source), split, looks=looks).numpy()
        for row, sentence in enumerate(split.sentences):
            n = int(split.lengths[row])
            follower[sentence] = np.stack([plain[sentence][0], weights[row, :n, :n]])
    return {3: blurred, 4: follower}


def search_that(look: str, layers: dict[int, dict[str, np.ndarray]], rules: int = 4) -> Search:
    features, limits = features_of(), SearchLimits(rules=rules, look=look)
    dull = maps_of([UNIFORM, UNIFORM], features)

    def read(layer: int) -> dict[str, np.ndarray]:
        return layers.get(layer, dull)

    return prepare_search(*(features[split] for split in SPLITS), True, limits, read=read)


def follower_found(layers: dict[int, dict[str, np.ndarray]], rules: int = 4) -> tuple[ParsedProgram, float]:
    """The program of the head that follows another, and its IoU on validation."""
    ((_, (_, found)),) = search_that("earlier", layers, rules).over_layers({4: [0, 1]})
    assert HeadId(3, 1) in found.looks, found.source
    validation = features_of()[Split.VALIDATION]
    looks = {head: [layers[3][s][head.head] for s in validation.sentences] for head in found.looks}
    ious = sentence_ious(program_maps([found], validation, True, looks=looks), layers[4])
    return found, float(ious[0, 1].mean())


def test_a_head_that_follows_another_is_found_to_do_so() -> None:
    found, iou = follower_found(layers_with_a_follower())
    assert iou > 0.95, found.source
    assert found.docstring.startswith("Follows L3H1")


# The IoU hangs on choices that targets otherwise equal to 1e-6 tip: 0.897 to 0.942 of the first were seen.
@pytest.mark.parametrize(
    ("source", "token", "enough"), [(FOLLOWS_FROM, "q", 0.88), (FOLLOWS_TOWARDS, "k", 0.8)]
)
def test_a_head_that_follows_another_under_a_condition_is_found_to_do_so(
    source: str, token: str, enough: float
) -> None:
    found, iou = follower_found(layers_with_a_follower(source), rules=8)
    assert iou > enough, found.source
    look = re.escape('weight *= (look("L3H1", q, k)')
    assert re.search(rf"if .*\b{token}\.is_word_start.*:\n +{look}", found.source), found.source
    (exponent,) = [one.exponent for one in references(found) if one.head == HeadId(3, 1)]
    assert (exponent or 0) > 0


def test_who_may_not_look_says_it_without() -> None:
    ((_, (_, found)),) = search_that("none", layers_with_a_follower()).over_layers({4: [0, 1]})
    assert not found.looks


@pytest.mark.parametrize("look", ["earlier", "layer"])
def test_heads_look_at_heads_before_them_only(look: str) -> None:
    layers = layers_with_a_follower()
    layers[4] = {name: np.stack([maps[1], maps[1]]) for name, maps in layers[4].items()}  # twice the same
    ((_, programs),) = search_that(look, layers).over_layers({4: [0, 1]})
    for head, program in enumerate(programs):
        assert program.may_stand_for(HeadId(4, head)), program.source
    assert (HeadId(4, 0) in programs[1].looks) == (look == "layer")


def test_braces_in_a_corpus_are_only_text() -> None:
    found = searched(["if ( a1 ) { call ( b ) ; } {t}"] * 30, [PLANTED["sink"], UNIFORM])
    assert len(found) == 2


# What can go wrong


def searched(texts: list[str], heads: list[str]) -> list[str]:
    """Programs for heads that do what `heads` say, on these train passages and one for validation."""
    tokenizer = tiny.tokenizer("byte")
    train, validation = (
        annotate([Sentence(f"{name}{at}", text, "text", split) for at, text in enumerate(part)], tokenizer)
        for name, part, split in (("t", texts[:-1], Split.TRAIN), ("v", texts[-1:], Split.VALIDATION))
    )
    maps = maps_of(heads, {Split.TRAIN: train, Split.VALIDATION: validation})
    assert all(np.isfinite(found).all() for found in maps.values())
    found = prepare_search(train, validation, is_causal=True).propose(maps)
    return [program.source for program in found]


UNIFORM = BASELINES["uniform"]


@pytest.mark.parametrize(
    "texts",
    [
        ["one sentence only, twice the same", "one sentence only, twice the same"],
        ["a", "b", "c"],
        ["\x01\x02\x03\x04", "\x05\x06\x02"],
        ["🙂🙂 🙃", "🙃 🙂"],
    ],
    ids=["one sentence", "one token each", "no words", "emoji"],
)
def test_odd_corpora_give_programs(texts: list[str]) -> None:
    found = searched(texts, [UNIFORM, PLANTED["sink"]])
    assert len(found) == 2
    for source in found:
        parse(source)
        assert "nan" not in source
        assert "inf" not in source


def test_a_constant_head_gets_the_uniform_program() -> None:
    maps = maps_of([UNIFORM], features_of())
    (found,) = search_of().propose(maps)
    assert found.id == parse(UNIFORM).id


def test_a_corpus_without_syntax_is_searched_all_the_same() -> None:
    found = features_of()
    blank = {}
    for split, features in found.items():
        columns = dict(features.columns)
        for name in ("pos", "tag", "dep", "entity", "lemma", "word"):
            columns[name] = np.zeros_like(columns[name])
        columns["is_stop"] = np.zeros_like(columns["is_stop"])
        columns["head"] = np.full_like(columns["head"], -1)
        blank[split] = Features(
            features.sentences,
            features.offsets,
            features.token_ids,
            columns,
            ("", *features.texts[1:]),
            features.surfaces,
            pipeline=NO_PIPELINE,
        )
    search = prepare_search(*(blank[split] for split in SPLITS), True)
    maps = maps_of([PLANTED["sink"]], blank)
    (program,) = search.propose(maps)
    assert fit(program.source, maps, 0) > 0.95


def test_grammar_is_generated_from_what_occurs() -> None:
    found = features_of()
    sources = {part.of("k") for part in grammar_of(found[Split.TRAIN], True).tokens}
    assert 'k.lower == "the"' in sources
    assert not any("zebra" in source for source in sources)


@pytest.mark.parametrize("word", ["a\u200cb", "\u2764\ufe0f", "\U0001f3f4\U000e0067", "\u202ea", 'a"\u2028'])
def test_a_word_with_hidden_characters_is_written_as_a_program_that_can_be_read(word: str) -> None:
    docstring = f'"""Favours {phrase_of_text("lower", word)}."""'
    source = f"def attend(q, k):\n    {docstring}\n    return k.lower == {quoted(word)}\n"
    assert parse(source).id == parse(source.replace(quoted(word), ascii(word))).id

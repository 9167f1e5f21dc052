"""Fitting constants: what moves, how far, how it is written back, and that nothing gets worse."""

import sys

import numpy as np
import pytest
import torch

from core.features import Features
from core.language import Evaluator, ParsedProgram, evaluate, parse
from core.language.tune.descent import Fitted, tune
from core.language.tune.general import GeneralLoss
from core.language.tune.literals import literals, rewritten, spelt
from core.language.tune.products import as_product
from core.language.tune.rounding import rounded
from core.language.tune.rows import ProductLoss
from core.types import HeadId
from tests.language_cases import build, program, sentence

FEATURES = build(
    sentence("The cat saw the dog , and the dog saw The cat ."),
    sentence("a b a c , b"),
    sentence("one two , one two , one"),
)
PRODUCT = """
weight = 1.0
if k.is_first:
    weight *= 3  # a sink
if k.is_punct and k.index < q.index:
    weight *= {punctuation}
weight *= {decay} ** (q.index - k.index)
return weight
"""
TABLE = """
weight = 1.0
if k.is_first:
    weight *= 3
weight *= table(k.lower, {{"the": {the}, "cat": 2}}, {other})
return weight
"""
SUM = """
weight = 0.05
if k.is_first:
    weight += {first}
weight += 0.5 * {decay} ** (q.index - k.index)
return weight
"""


def maps_of(source: ParsedProgram, causal: bool = True, features: Features = FEATURES) -> torch.Tensor:
    return evaluate(source, features, causal)


def fit(start: ParsedProgram, target: torch.Tensor, causal: bool = True) -> Fitted:
    return tune([(start, target)], FEATURES, causal)[0]


def fitted_texts(body: str) -> list[str]:
    """The literals of a program that a fit may change, as written."""
    source = program(body)
    lines = source.source.split("\n")
    found = literals(source)
    return [lines[f.line - 1][f.column - 1 : f.end_column - 1] for f in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("0.8 ** (q.index - k.index)", ["0.8"]),
        ("weight = 1.0\nweight *= 24\nreturn weight", ["1.0", "24"]),
        ("weight = 0.0\nweight += 0.5 * k.is_punct\nreturn weight + 0.25", ["0.5", "0.25"]),
        ("exp(-0.5 * k.index)", ["0.5"]),
        ("0.3 if k.index < 3 else 0.1", ["0.3", "0.1"]),
        ("2 / (q.index - k.index + 1)", ["2"]),
        ("(k.index + 1) ** 2", []),
        ("(k.index + 1) ** -1.5", ["1.5"]),
        ("0.8 ** (2 * k.index)", ["0.8"]),
        ("k.index // 3 % 2 == 1", []),
        ("(k.index % 4) * 0.5", ["0.5"]),
        ("1.5 * (k.index in {3, 4})", ["1.5"]),
        ("weight = 4\nif k.index < weight:\n    return 7\nreturn 0.5", ["7", "0.5"]),
        ("half = 0.5\nlimit = half * 8\nreturn 3 if k.index > limit else 2", ["3", "2"]),
        ("near = 3\nreturn 9 * (last(q, length=near) == k)", ["9"]),
        ("distance = q.index - k.index\nreturn 0.7 ** (distance - 1)", ["0.7"]),
        ("k == q.prev", []),
    ],
)
def test_literals_that_scale_or_shape_a_weight_are_fitted(body: str, expected: list[str]) -> None:
    assert fitted_texts(body) == expected


def test_known_constants_of_a_product_are_recovered() -> None:
    target = maps_of(program(PRODUCT.format(punctuation=6.5, decay=0.8)))
    found = fit(program(PRODUCT.format(punctuation=2, decay=0.95)), target)
    assert found.after > 0.99 > found.before
    assert "weight *= 6.5" in found.program.source
    assert "weight *= 0.8 **" in found.program.source


def test_a_literal_that_scales_every_weight_alike_stays() -> None:
    target = maps_of(program(PRODUCT.format(punctuation=6.5, decay=0.8)))
    found = fit(program(PRODUCT.format(punctuation=2, decay=0.95)), target)
    assert "weight = 1.0\n" in found.program.source


def test_without_sentences_nothing_is_fitted() -> None:
    start = program("2 * k.index")
    for features in (build(), build([])):
        assert tune([(start, maps_of(start, features=features))], features)[0].program is start


def test_known_constants_of_a_sum_are_recovered() -> None:
    target = maps_of(program(SUM.format(first=2.5, decay=0.6)))
    found = fit(program(SUM.format(first=0.5, decay=0.9)), target)
    assert found.before < 0.8
    assert found.after > 0.97


def test_an_encoder_is_fitted_in_both_directions() -> None:
    body = "{decay} ** abs(q.index - k.index)"
    target = maps_of(program(body.format(decay=0.6)), causal=False)
    found = fit(program(body.format(decay=0.9)), target, causal=False)
    assert found.after > 0.99
    assert "0.6 **" in found.program.source


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("body", [PRODUCT, SUM], ids=["product", "sum"])
def test_iou_on_train_is_never_worse_than_before(body: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = torch.from_numpy(rng.random((3, 13, 13), np.float32)).tril()
    target = target * (maps_of(program("1")) > 0)
    target = target / target.sum(2, keepdim=True).clamp(min=1e-9)
    start = program(body.format(punctuation=9, first=9, decay=0.5))
    found = fit(start, target)
    assert mean_iou(found.program, target) == pytest.approx(found.after, abs=1e-5)
    assert mean_iou(start, target) == pytest.approx(found.before, abs=1e-5)
    assert found.after >= found.before


def mean_iou(source: ParsedProgram, target: torch.Tensor) -> float:
    """The plain definition: sum of minima over sum of maxima, 0 on a failed sentence."""
    evaluated = Evaluator(FEATURES).run(source)
    ious = torch.minimum(evaluated.weights, target).sum((1, 2)) / torch.maximum(
        evaluated.weights, target
    ).sum((1, 2))
    ious[list(evaluated.failures)] = 0
    return float(ious.mean())


def test_a_perfect_program_comes_back_as_it_is() -> None:
    start = program(PRODUCT.format(punctuation="6.50", decay="0.80"))
    found = fit(start, maps_of(start))
    assert found.program is start
    assert found.after == found.before == pytest.approx(1)


def test_a_program_without_constants_comes_back_as_it_is() -> None:
    start = program("k == q.prev")
    found = fit(start, maps_of(program("k.is_first")))
    assert found.program is start
    assert found.after == found.before < 1


def test_fitting_twice_gives_the_same_source() -> None:
    target = maps_of(program(PRODUCT.format(punctuation=6.5, decay=0.8)))
    starts = [program(body.format(punctuation=2, first=2, decay=0.9)) for body in (PRODUCT, SUM)]
    once, again = (tune([(start, target) for start in starts], FEATURES) for _ in range(2))
    assert [f.program.source for f in once] == [f.program.source for f in again]


def test_a_pair_is_fitted_alike_alone_and_among_others() -> None:
    targets = [maps_of(program(PRODUCT.format(punctuation=p, decay=0.8))) for p in (2, 5, 11)]
    starts = [program(PRODUCT.format(punctuation=p, decay=0.9)) for p in (1.5, 3, 3)]
    together = tune(list(zip(starts, targets, strict=True)), FEATURES)
    for start, target, found in zip(starts, targets, together, strict=True):
        assert found.after == pytest.approx(fit(start, target).after, abs=2e-3)


def test_layout_comments_and_docstring_stay() -> None:
    source = (
        'def attend(q, k):\n    """Weighs 2 or 3."""\n    # 2 and 3 are guesses\n'
        "    if k.index  <  3 :  # not 4\n        return 2.000   # é: was 2\n    return  3\n"
    )
    target = maps_of(program("if k.index < 3:\n    return 12\nreturn 1"))
    found = fit(parse(source), target)
    assert found.after > 0.99
    numbers = [literal.value for literal in literals(found.program)]
    assert numbers[0] / numbers[1] == pytest.approx(12, rel=0.1)
    spellings = [spelt(value, 2) for value in numbers]
    expected = source.replace("2.000", spellings[0]).replace("return  3", f"return  {spellings[1]}")
    assert found.program.source == expected


def test_several_literals_of_one_line_are_written_back_in_place() -> None:
    source = program("0.5 * 0.9 ** (q.index - k.index) + 0.25")
    written = rewritten(source, dict(zip(literals(source), ["12", "0.123", "7"], strict=True)))
    assert written.source == "def attend(q, k):\n    return 12 * 0.123 ** (q.index - k.index) + 7\n"


def test_comparisons_never_change() -> None:
    body = "({} if k.index < 4 else 1) * ({} if q.index - k.index in {{1, 2}} else 1)"
    found = fit(program(body.format(2, 2)), maps_of(program(body.format(30, 9))))
    assert found.after > 0.98
    assert "k.index < 4 " in found.program.source
    assert "in {1, 2} " in found.program.source


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (23.96, 2, "24"),
        (0.80123, 2, "0.8"),
        (6.5, 2, "6.5"),
        (118.0, 2, "120"),
        (0.0000312, 2, "0.000031"),
        (0.9962, 3, "0.996"),
        (999_999.6, 2, "1000000"),
        (1.04, 2, "1"),
    ],
)
def test_numbers_are_written_as_a_person_would(value: float, digits: int, text: str) -> None:
    assert spelt(value, digits) == text
    assert parse(f"def attend(q, k):\n    return {text}\n")


def test_two_digits_where_they_cost_less_than_a_thousandth_else_more() -> None:
    fitted = torch.tensor([[0.99612, 23.96, 1.0]], dtype=torch.float64)
    start = torch.tensor([[0.9, 8.0, 1.0]], dtype=torch.float64)

    def ious(constants: torch.Tensor, only: torch.Tensor | None) -> torch.Tensor:
        sharp, blunt = (constants[:, 0] - 0.99612).abs(), (constants[:, 1] - 23.96).abs()
        return 0.9 - sharp - blunt / 1000

    constants, texts = rounded(ious, start, fitted, torch.tensor([0.5]), torch.tensor([0.9]))
    assert texts == [["0.996", "24", None]]
    assert constants.tolist() == [[0.996, 24.0, 1.0]]


def test_rounding_never_loses_what_the_fit_gained() -> None:
    fitted, start = torch.tensor([[0.81234567]]).double(), torch.tensor([[0.8]]).double()

    def ious(constants: torch.Tensor, only: torch.Tensor | None) -> torch.Tensor:
        return 0.9 - (constants[:, 0] - 0.81234567).abs() / 100

    before = ious(start, None)
    constants, _ = rounded(ious, start, fitted, before + 0.00012, ious(fitted, None))
    assert ious(constants, None) >= before + 0.00012


def test_sentences_on_which_the_program_fails_count_0_and_are_not_fitted() -> None:
    body = "({} if k.is_first else 1) * (6 / (6 - q.index))"  # fails where there is a query 6
    target = maps_of(program("9 if k.is_first else 1"))
    found = fit(program(body.format(2)), target)
    assert sorted(Evaluator(FEATURES).run(found.program).failures) == [0, 2]
    assert found.after == pytest.approx(1 / 3, abs=0.01)
    assert found.after > found.before


def test_a_program_that_always_fails_comes_back_as_it_is() -> None:
    start = program("0.5 * (1 / 0)")
    found = fit(start, maps_of(program("1")))
    assert found.program is start
    assert found.after == 0


@pytest.mark.parametrize("body", ["{} if k.is_first else 1", "(k.is_first * {} + 1) * 1"])
def test_literals_stay_above_0_and_at_most_a_million(body: str) -> None:
    for wanted in ("k.is_first", "not k.is_first"):
        found = tune([(program(body.format(1000)), maps_of(program(wanted)))], FEATURES, steps=300)[0]
        assert all(0 < literal.value <= 1e6 for literal in literals(found.program))


def assert_paths_agree(source: ParsedProgram, evaluator: Evaluator) -> None:
    """A product gives the same IoU and the same gradient through the evaluator."""
    found = literals(source)
    product = as_product(source, found)
    assert product is not None
    target = maps_of(program("1 + k.is_first * 3 + k.is_punct * 2"), evaluator.causal)
    parts = [list(range(len(FEATURES)))]
    fast = ProductLoss(product, evaluator, [target], parts)
    general = GeneralLoss(source.body, found, [evaluator], [target], parts)
    constants = torch.tensor([[literal.value * 1.1 for literal in found]], dtype=torch.float64)
    assert bool(fast.is_exact(constants))
    torch.testing.assert_close(fast.ious(constants), general.ious(constants), atol=1e-5, rtol=0)
    slopes = [loss.step(0, constants)[0] for loss in (fast, general)]
    torch.testing.assert_close(slopes[0], slopes[1], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "body",
    [
        PRODUCT.format(punctuation=5, decay=0.7),
        "if k.is_first:\n    return 4\nelif k.is_punct:\n    return 0.5 * 3\nreturn 2 / 1.5",
        "base = 0.8\nweight = base ** (q.index - k.index)\nif k == q:\n    weight /= 3\nreturn weight",
        "2 * (k.is_punct - k.is_first) * k.index ** 2 / 3",
        "0.7 ** (1 / (q.index + 1)) * 0.5",
        "0.7 ** (1 / (6 - q.index))",
        "k.index % 4 * 0.5 ** k.index",
        "weight = 2 if k.is_punct else 0.25\nreturn -(-weight) * (k.is_punct + k.is_title)",
    ],
)
@pytest.mark.parametrize("causal", [True, False])
def test_fast_and_general_path_agree_on_iou_and_gradient(body: str, causal: bool) -> None:
    assert_paths_agree(program(body), Evaluator(FEATURES, causal))


EARLIER = HeadId(0, 1)
READS = {EARLIER: [found.numpy() for found in maps_of(program("1 + 6 * (k == q.prev)"))]}


@pytest.mark.parametrize(
    "body",
    [
        '(look("L0H1", q, k) + 0.002) ** 0.4',
        '0.8 ** (q.index - k.index) * (look("L0H1", q, k) + 0.1) ** -0.3',
        'weight = 2\nif k.is_punct:\n    weight *= (look("L0H1", q, k) + 0.01) ** 0.6\n'
        "if k.is_first:\n    weight *= 3\nreturn weight",
        'weight = (look("L0H1", q, k) + 0.02) ** 0.7\nif q.prev != None:\n'
        '    weight *= weight / (look("L0H1", q.prev, k) + 1) ** 0.5\nreturn weight',
    ],
)
def test_exponents_of_looks_are_fitted_as_part_of_a_product(body: str) -> None:
    assert_paths_agree(program(body), Evaluator(FEATURES, looks=READS))


def test_a_known_exponent_of_a_look_is_recovered() -> None:
    body = 'weight = (look("L0H1", q, k) + 0.002) ** {}\nif k.is_first:\n    weight *= {}\nreturn weight'
    target = evaluate(program(body.format(0.4, 5)), FEATURES, looks=READS)
    (found,) = tune([(program(body.format(0.9, 2)), target)], FEATURES, looks=READS)
    assert found.after > 0.99 > found.before
    assert "** 0.4\n" in found.program.source


@pytest.mark.parametrize(
    "body",
    [
        'look("L0H1", q, k) ** 0.4',  # may be 0
        '(look("L0H1", q, k) - 0.1) ** 0.5',  # may be below
        '(look("L0H1", q, k) + 0.1 * k.index) ** 0.5',
    ],
)
def test_exponents_of_what_may_be_0_take_the_general_path(body: str) -> None:
    source = program(body)
    assert as_product(source, literals(source)) is None


@pytest.mark.parametrize(
    "body", ["0.5 + 0.5 * k.is_first", "exp(-0.5 * k.index)", "min(0.5, k.index)", "k.length ** 0.5 * 2 + 1"]
)
def test_what_is_no_product_takes_the_general_path(body: str) -> None:
    source = program(body)
    assert as_product(source, literals(source)) is None


def test_programs_fitted_together_come_out_as_alone() -> None:
    """Twenty starts of a sum, each for a head of its own, and some of them failing on a sentence."""
    body = "{a} / (k.index - {a}) + {b} * k.is_first + {c} * 0.8 ** (q.index - k.index)"
    starts = [program(body.format(a=2 + at % 9, b=1 + at % 7, c=4 + at % 2)) for at in range(20)]
    heads = [maps_of(program(f"0.5 + {2 + at % 5} * k.is_first + {at % 3} * k.is_punct")) for at in range(20)]
    together = tune(list(zip(starts, heads, strict=True)), FEATURES, steps=12)
    for start, head, found in zip(starts, heads, together, strict=True):
        (alone,) = tune([(start, head)], FEATURES, steps=12)
        assert found.before == pytest.approx(alone.before, abs=1e-6)
        assert found.after == pytest.approx(alone.after, abs=1e-3)
        assert mean_iou(found.program, head) == pytest.approx(found.after, abs=1e-5)
    assert len({len(Evaluator(FEATURES).run(start).failures) for start in starts}) > 1


def test_weights_too_small_for_32_bits_are_left_to_the_evaluator() -> None:
    features = build(sentence(" ".join("abcdefghij" * 5)))
    start = program("0.01 ** (q.index - k.index)")
    target = maps_of(program("k == q"), features=features)
    found = tune([(start, target)], features)[0]
    assert found.after >= found.before
    evaluated = Evaluator(features).run(found.program)
    assert not evaluated.failures


def test_long_corpora_are_fitted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["core.language.tune.descent"], "_PART_CELLS", 60)
    for body in (PRODUCT, SUM):
        target = maps_of(program(body.format(punctuation=6, first=3, decay=0.7)))
        start = program(body.format(punctuation=2, first=1, decay=0.9))
        first, second = tune([(start, target)], FEATURES, seed=1), tune([(start, target)], FEATURES, seed=1)
        assert first[0].after > first[0].before
        assert first[0].program.source == second[0].program.source
        assert mean_iou(first[0].program, target) == pytest.approx(first[0].after, abs=1e-5)


def test_a_source_that_would_grow_too_long_stays() -> None:
    body = "return 2 if k.is_first else 3"
    start = parse("def attend(q, k):\n    # " + "x" * (8192 - 60) + f"\n    {body}\n")
    assert len(start.source) > 8180
    found = fit(start, maps_of(program("0.123 if k.is_first else 6.54")))
    assert found.after >= found.before


def test_the_numbers_of_a_table_are_recovered() -> None:
    target = maps_of(program(TABLE.format(the=7, other=0.5)))
    start = program(TABLE.format(the=2, other=1))
    assert as_product(start, literals(start)) is not None
    found = fit(start, target)
    assert found.after > 0.99 > found.before


def test_a_table_fits_alike_as_a_product_and_through_the_evaluator() -> None:
    start = program(TABLE.format(the=2, other=1))
    product = as_product(start, literals(start))
    assert product is not None
    evaluator, target = Evaluator(FEATURES), maps_of(program(TABLE.format(the=7, other=0.5)))
    parts = [list(range(len(FEATURES)))]
    constants = torch.tensor([[literal.value for literal in literals(start)]], dtype=torch.float64)
    product_loss = ProductLoss(product, evaluator, [target], parts)
    general = GeneralLoss(start.body, literals(start), [evaluator], [target], parts)
    torch.testing.assert_close(product_loss.ious(constants), general.ious(constants), atol=1e-6, rtol=0)

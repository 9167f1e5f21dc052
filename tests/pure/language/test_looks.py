"""Programs that look at other heads: what they read, what they may not, and how they are written."""

import numpy as np
import pytest
import torch

from core.errors import ProgramError
from core.language import Evaluator, Looks, evaluate, parse, reference, trace
from core.language.export import export
from core.language.render import render
from core.language.tune.literals import literals
from core.types import Failure, HeadId
from tests.language_cases import CAT_FEATURES, cat_tokens, program
from tests.pure.language.test_reading import complaint

SEEN = np.tril(np.arange(25, dtype=np.float32).reshape(5, 5)) / 64
LOOKS: Looks = {HeadId(1, 2): [SEEN]}


def last_row(body: str, looks: Looks = LOOKS) -> list[float]:
    """What a program gives the last query before the row is divided by its sum, by both evaluators."""
    weights = evaluate(program(body), CAT_FEATURES, looks=looks)[0].numpy()
    rows = reference(program(body), cat_tokens(), looks={head: maps[0] for head, maps in looks.items()})
    np.testing.assert_allclose(weights, rows, atol=1e-6)
    return [float(weight) for weight in weights[-1]]


def test_a_look_is_what_the_other_head_gives() -> None:
    np.testing.assert_allclose(last_row('look("L1H2", q, k)'), SEEN[-1] / SEEN[-1].sum(), atol=1e-6)


def test_it_reads_the_row_and_the_key_it_is_asked_for() -> None:
    row = [0.0, *SEEN[3, :4]]  # of the token before, shifted by one key
    np.testing.assert_allclose(last_row('look("L1H2", q.prev, k.prev)'), row / np.sum(row), atol=1e-6)


def test_a_tensor_with_a_gradient_may_be_looked_at() -> None:
    maps = torch.from_numpy(SEEN)[None].requires_grad_()
    found = evaluate(program('look("L1H2", q, k) + 0.5'), CAT_FEATURES, looks={HeadId(1, 2): maps})
    found[0, 4, 4].backward()
    assert maps.grad is not None
    assert maps.grad[0, 4, 3] < 0 < maps.grad[0, 4, 4]
    assert not maps.grad[0, :4].any()


def test_a_head_that_is_not_at_hand_is_a_failure_in_both_evaluators() -> None:
    failure = Failure("unavailable", "line 2: the attention of L1H2 is not at hand")
    assert Evaluator(CAT_FEATURES).run(program('look("L1H2", q, k)')).failures == {0: failure}
    assert reference(program('look("L1H2", q, k)'), cat_tokens()) == failure


def test_a_program_knows_its_heads_and_which_head_it_may_stand_for() -> None:
    parsed = program('weight = look("L1H2", q, k) + look("L0H5", q, k)\nreturn weight')
    assert parsed.looks == {HeadId(1, 2), HeadId(0, 5)}
    assert not parsed.lookahead
    assert [parsed.may_stand_for(HeadId(*at)) for at in ((1, 3), (2, 0), (1, 2), (1, 1), (0, 9))] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_its_trace_says_what_the_head_gives() -> None:
    found = trace(program('return 2 * look("L1H2", q, k)'), cat_tokens(), 4, 3, {HeadId(1, 2): SEEN})
    (reading,) = found.contributions[-1].readings
    assert (reading.source, reading.value) == ('look("L1H2", q, k)', SEEN[4, 3])
    assert found.weight == 2 * SEEN[4, 3]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('look("19.7", q, k)', 'did you mean "L19H7"?'),
        ('look("l19h07", q, k)', 'did you mean "L19H7"?'),
        ("look(q.text, q, k)", "name it in quotes"),
        ('look("L1H1", q.index, k)', "`q.index` is a number, but `look` needs a token there"),
        ('look("L1H1", q)', "takes 3 arguments, found 2"),
        ('look("L1H1", q, key=k)', "takes no keywords"),
        ("look", "`look` is a function; call it"),
        ('table(q.tag, {"CD": 0.83})', "takes 3 arguments, found 2"),
        ('table(q.tag, "CD", 1)', "needs entries in braces"),
        ("table(q.tag, {}, 1)", "needs entries in braces"),
        ('table(q.tag, {"CD": k.index}, 1)', "write only numbers there"),
        ('table(q.tag, {"CD": 1, "CD": 2}, 1)', "has 'CD' twice"),
        ('table(q.tag, {"CD": 1, 2: 2}, 1)', "mixes kinds"),
        ('table(q.index, {"CD": 1}, 1)', "`q.index` is a number, the braces hold texts"),
        ("table(q.index, {0.5: 1}, 1)", "is no whole number"),
        ("table(q.tag, {**q}, 1)", "found `**`"),
        ("table(q.tag, {q.tag: 1}, 1)", "write only literals there"),
        ('table(q.tag, {"CD": 1}, q.tag)', "needs a number"),
        ('{"CD": 1}', "dictionary"),
    ],
)
def test_what_is_wrong_is_said_with_advice(body: str, message: str) -> None:
    assert message in complaint(body)


def test_order_and_spelling_of_a_table_do_not_make_another_program() -> None:
    one = program('table(q.tag, {"B": 2.0, "A": 1}, 1)')
    other = program("table(q.tag, {'A': 1, 'B': 2}, 1)")
    assert one.id == other.id
    assert 'table(q.tag, {"A": 1, "B": 2}, 1)'.replace('"', "'") in render(one.body)


def test_numbers_of_tables_and_exponents_of_looks_can_be_fitted_but_not_the_floor() -> None:
    parsed = program(
        'weight = (look("L1H2", q, k) + 0.002) ** 0.44\n'
        "weight *= table(k.index, {1: 3, 0: 5}, 2)\nreturn weight"
    )
    assert [literal.value for literal in literals(parsed)] == [0.44, 3, 5, 2]


def test_a_look_cannot_be_exported_alone() -> None:
    with pytest.raises(ProgramError, match="looks at L1H2"):
        export(parse('def attend(q, k):\n    return look("L1H2", q, k)\n'))

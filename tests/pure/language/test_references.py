"""Which heads a program looks at, and with which exponent."""

import pytest

from core.language import Reference, parse, references
from core.types import HeadId


def found(body: str) -> list[tuple[str, float | None]]:
    """Heads and exponents of a program with these statements."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return [(str(one.head), one.exponent) for one in references(parse(f"def attend(q, k):\n{lines}\n"))]


@pytest.mark.parametrize(
    ("statement", "exponent"),
    [
        ('weight *= (look("L1H2", q, k) + 0.002) ** 0.44', 0.44),
        ('weight *= (look("L1H2", q, k) + 0.002) ** -0.17', -0.17),
        ('weight *= look("L1H2", q, k) ** 2', 2.0),
        ('weight *= (0.002 + look("L1H2", q, k)) ** 0.3', 0.3),
        ('weight /= (look("L1H2", q, k) + 0.002) ** 0.3', -0.3),
        ('weight *= look("L1H2", q, k)', 1.0),
        ('weight *= look("L1H2", q, k) + 0.1', 1.0),
        ('weight = 3 * look("L1H2", q.prev, k) ** 0.5 * 2', 0.5),
        ('weight += look("L1H2", q, k)', None),
        ('weight *= 1 + 2 * look("L1H2", q, k)', None),
        ('weight *= exp(look("L1H2", q, k))', None),
        ('weight *= look("L1H2", q, k) ** k.index', None),
        ('weight *= 2 ** look("L1H2", q, k)', None),
    ],
)
def test_the_exponent_of_a_factor_is_its_strength(statement: str, exponent: float | None) -> None:
    assert found(f"weight = 1.0\n{statement}\nreturn weight") == [("L1H2", exponent)]


def test_what_is_returned_outright_is_followed_as_it_is() -> None:
    assert found('return look("L0H3", q, k)') == [("L0H3", 1.0)]


def test_a_head_in_a_condition_or_behind_a_local_has_no_exponent() -> None:
    body = """weight = 1.0
seen = look("L0H1", q, k)
if look("L0H2", q, k) > 0.5:
    weight *= seen
return weight"""
    assert found(body) == [("L0H1", None), ("L0H2", None)]


def test_heads_come_once_in_the_order_they_are_named_with_their_strongest_exponent() -> None:
    body = """weight = look("L5H0", q, k) ** 0.2
if look("L0H1", q, k) > 0.5:
    weight *= (look("L5H0", q, k) + 0.01) ** -0.7
    weight *= look("L0H1", q, k)
return weight"""
    assert found(body) == [("L5H0", -0.7), ("L0H1", 1.0)]


def test_a_program_that_looks_at_no_head_has_no_references() -> None:
    assert found("return 1") == []


def test_strength_forgets_the_sign() -> None:
    assert [Reference(HeadId(0, 0), e).strength for e in (-0.5, 2.0, None)] == [0.5, 2.0, 0.0]

"""What is a program, what is not, and what the message says."""

import pytest

from core.errors import Problem, ProgramError
from core.language import describe, parse
from core.language.nodes import Assign, Number, Return
from core.language.render import render
from core.language.walk import expressions, parts, statements
from tests.language_cases import CASES, program

EXAMPLE = '''def attend(q, k):
    """Rest on the first token; punctuation looks back at the verb it closes."""
    weight = 0.02
    if k.index == 0:
        weight += 0.6  # a sink
    if q.is_punct and k.pos == "VERB":
        weight += 0.5 * 0.7 ** (q.index - k.index)
    return weight
'''


def problems(source: str) -> list[Problem]:
    """Everything wrong with a source text."""
    with pytest.raises(ProgramError) as caught:
        parse(source)
    return list(caught.value.problems)


def complaint(body: str) -> str:
    """The message of the only problem of a program with this body."""
    with pytest.raises(ProgramError) as caught:
        program(body)
    (problem,) = caught.value.problems
    return problem.message


def test_the_example_of_the_design_is_a_program() -> None:
    parsed = parse(EXAMPLE)
    assert parsed.docstring == "Rest on the first token; punctuation looks back at the verb it closes."
    assert parsed.features == {"index", "is_punct", "pos"}
    assert parsed.lookahead
    assert parsed.source == EXAMPLE


def test_numbers_know_their_span() -> None:
    body = parse('def attend(q, k):\n    x = "é" == "é"\n    return x + 0.25\n').body
    numbers = [p for s in statements(body) for e in expressions(s) for p in parts(e) if isinstance(p, Number)]
    assert [(n.line, n.column, n.end_column, n.value) for n in numbers] == [(3, 16, 20, 0.25)]


def test_columns_count_characters_not_bytes() -> None:
    (problem,) = problems('def attend(q, k):\n    return ("é😀" == k.text) + k.foo\n')
    assert (problem.line, problem.column) == (2, 31)


def test_all_problems_are_listed_in_source_order() -> None:
    source = "def attend(q, k):\n    x = q.tag_\n    y = z + 1\n    import os\n    return k.text\n"
    assert [(p.line, p.column) for p in problems(source)] == [(2, 9), (3, 9), (4, 5), (5, 12)]


def test_one_mistake_is_one_problem() -> None:
    assert len(problems("def attend(q, k):\n    x = q.foo + 1\n    y = x * 2\n    return y + x\n")) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("return 1 + k.index", "return (1+k.index) # why"),
        ("return 0.50", "return 5e-1"),
        ("weight = 1\nweight += 2\nreturn weight", "weight = 1.0\nweight = weight + 2\nreturn weight"),
        ('return k.pos in ("A", "B")', "return k.pos in {'B', 'A'}"),
        ('"""Words."""\nreturn 1', "return 1"),
        ("if k.is_first:\n    return 1\nelse:\n    return 2", "if k.is_first: return 1\nelse: return 2"),
    ],
)
def test_layout_does_not_change_the_id(left: str, right: str) -> None:
    assert program(left).id == program(right).id


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1 - (2 - k.index)", "1 - 2 - k.index"),
        ("(1 + 2) * k.index", "1 + 2 * k.index"),
        ("(-k.index) ** 2", "-k.index ** 2"),
        ("2 ** 2 ** k.index", "(2 ** 2) ** k.index"),
        ("k.is_first and q.is_first", "q.is_first and k.is_first"),
        ('k.text == "a"', 'k.text == "b"'),
        ("k.index in {1}", "k.index not in {1}"),
        ('"1" == k.text', "1 == k.index"),
    ],
)
def test_meaning_changes_the_id(left: str, right: str) -> None:
    assert program(left).id != program(right).id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_canonical_source_is_the_same_program(case: object) -> None:
    parsed = program(getattr(case, "body"))  # noqa: B009
    again = parse(render(parsed.body))
    assert again.id == parsed.id
    assert again.body == parsed.body


def test_line_breaks_of_any_system_are_read() -> None:
    assert parse("def attend(q, k):\r\n    return 1\r\n").source == "def attend(q, k):\n    return 1\n"


def test_long_sum_is_flat() -> None:
    parsed = program("return " + " + ".join(["k.index"] * 195))
    assert parsed.nodes <= 600
    assert render(parsed.body).count("k.index") == 195


def test_long_elif_chain_is_flat() -> None:
    body = "\n".join(f"{'el' if n else ''}if k.index == {n}:\n    return {n}" for n in range(60))
    assert program(body + "\nreturn 0").nodes <= 600


def test_too_many_nodes_are_refused_where_they_begin() -> None:
    message = complaint("return " + " + ".join(["1"] * 301))
    assert message == "the program has more than 600 nodes from here on; shorten it"


@pytest.mark.parametrize("count", [3000, 50_000])
def test_endless_sum_is_refused(count: int) -> None:
    assert problems("def attend(q, k):\n    return " + "+".join(["1"] * count))


def test_source_over_8_kb_is_refused_in_bytes() -> None:
    source = EXAMPLE + "# " + "é" * 4000
    assert len(source) < 8192
    assert "8192" in problems(source)[0].message
    parse(EXAMPLE + "# " + "e" * 4000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("k.tag_", "`k.tag_` is not a token attribute; did you mean `k.tag`?"),
        ("k.i", "`k.i` is not a token attribute; did you mean `k.index`?"),
        ("q.pos + 1", "`q.pos` is text, but `+` needs a number; compare it, as in `k.text == ...`"),
        (
            "k.head",
            "`k.head` is a token, but `return` needs a number; use one of its numbers, such as `.index`",
        ),
        ("if k.text:\n    return 1\nreturn 0", 'write `k.text != ""`'),
        ("if k.length:\n    return 1\nreturn 0", "write `k.length != 0`"),
        ("if k.head:\n    return 1\nreturn 0", "write `k.head != None`"),
        ("not k.index", "write `k.index != 0`"),
        ("k.text < q.text", "`<` does not order text"),
        ("k < q", "`<` does not order token"),
        ("k.index == k.text", "a number does not compare with text"),
        ("k == 0", "a token does not compare with a number"),
        ("k.index == None", "is a number and always exists"),
        ("k.text in k.word", "after `in`; write literals"),
        ("k.index in {1, 'a'}", "mixes kinds"),
        ("k.index in {'a'}", "the choices are texts"),
        ("k.text.startswith('a')", "write `startswith(k.text, ...)`"),
        ("len(k.text)", "a token's length is `k.length`"),
        ("sqr(k.index)", "did you mean `sqrt`?"),
        ("max(k.index)", "`max` takes 2 or more arguments, found 1"),
        ("abs(1, 2)", "`abs` takes 1 argument, found 2"),
        ("log(k.text)", "`log` needs a number there; write `log(k.index + 1)`"),
        ("last(q) == k", "`last` needs at least one equality"),
        ("last(q, posi='VERB') == k", "`posi` is not a token attribute; did you mean `pos`?"),
        ("last(q, pos=1) == k", "`pos` is text, but the value is a number"),
        ("abs(x=1)", "`abs` takes 1 argument, found 0"),
        ("abs(1, x=1)", "`abs` takes no keywords"),
        ("weigth", "`weigth` is not defined"),
        ("index == 1", "write `q.index` or `k.index`"),
        ("k.text if k.is_first else 1", "give both sides one kind"),
        ("2000000", "`2000000` is too large; numbers go up to 1e6"),
        ("weight = True\nweight = 0.5\nreturn weight", "begin with a number, such as `weight = 0.0`"),
        ("weight = 1\nweight = q\nreturn weight", "`weight` is a number since line 2, found a token"),
        ("weight = k.is_first\nweight += 1\nreturn 1", "`+=` needs a number; begin with `weight = 0.0`"),
        ("weight = 1\nweight //= 2\nreturn weight", "write `x = x // y`"),
        ("if k.is_first:\n    x = 1\nreturn x", "`x` may have no value here"),
        ("if k.is_first:\n    return 1", "add `return 0.0`"),
        ("weight = 1", "add `return 0.0`"),
        ("return", "write `return 0.0`"),
        ("weight = None\nreturn 1", "`None` stands only beside `==` or `!=`"),
        ("return 1 is 1", "write `==`"),
        ("return k.is_first & q.is_first", "write `and`"),
        ("return min", "`min` is a function; call it"),
        ("weight = q.index\nq.index\nreturn weight", "write `return q.index` or assign it"),
        ("return k.is_punct)", "`)` closes nothing"),
        ("if k.is_first\n    return 1", "expected ':'"),
    ],
)
def test_message_says_what_to_write(body: str, message: str) -> None:
    assert message in complaint(body)


def test_branches_that_return_need_not_assign() -> None:
    program("if k.is_first:\n    return 1\nelse:\n    x = 2\nreturn x")


def test_code_after_return_is_read_but_needs_no_return() -> None:
    program("return 1\nweight = 2")
    assert "not defined" in complaint("return 1\nweight = nothing")


def test_boolean_goes_to_a_number_local() -> None:
    first, second, _ = program("weight = 0\nweight = k.is_first\nreturn weight").body
    assert isinstance(first, Assign)
    assert isinstance(second, Assign)
    assert second.kind == "number"


def test_attribute_names_can_be_locals() -> None:
    assert isinstance(program("index = q.index\nreturn index").body[-1], Return)


def test_first_counts_as_lookahead() -> None:
    assert program("first(is_punct=True) == k").lookahead
    assert not program("last(q, is_punct=True) == k").lookahead


SINK = "weight = 1.0\nif k.is_first:\n    weight *= 9\n"


@pytest.mark.parametrize(
    ("body", "category"),
    [
        ("1", "uniform"),
        ("q.index", "uniform"),
        ("k.is_first", "first token"),
        ("k.index == 0", "first token"),
        ("k.next == None", "final token"),
        ('k.text == "[SEP]"', "final token"),
        ("0.7 ** (q.index - k.index)", "sequential"),
        ("k == q.prev", "sequential"),
        ("distance = q.index - k.index\nreturn distance == 1", "sequential"),
        ("key = k.index\nreturn q.index - key == 1", "sequential"),
        ("last(q, is_punct=True) == k", "sequential"),
        ('look("L0H1", q, k)', "other heads"),
        (
            f"{SINK}if k == q.prev:\n    weight *= 3\nif k.pos == q.pos:\n    weight = 2\nreturn weight",
            "sequential",
        ),
        (f'{SINK}if q.pos == "X" and k.is_first:\n    weight *= 2\nreturn weight', "syntactic"),
        ('table(k.tag, {"CD": 2}, 1)', "syntactic"),
        ("q.lower == k.lower", "coreference"),
        ("similarity(q, k)", "coreference"),
        ("last(q, lower=q.lower) == k", "coreference"),
        ("startswith(q.lower, k.lower)", "coreference"),
        ("q.head == k", "syntactic"),
        ('k.pos == "NOUN"', "syntactic"),
        ("q.pos == k.pos", "syntactic"),
        ("k.is_punct", "syntactic"),
    ],
)
def test_category(body: str, category: str) -> None:
    assert describe(program(body)).category == category


def test_docstring_describes_the_program() -> None:
    described = describe(parse(EXAMPLE))
    assert described.sentence == "Rest on the first token; punctuation looks back at the verb it closes."
    assert described.lookahead


def test_program_without_docstring_is_described_in_plain_words() -> None:
    assert describe(program("k.is_first")).sentence == "Looks at the first token, by is_first."

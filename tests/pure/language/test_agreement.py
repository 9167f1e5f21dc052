"""Two evaluators, one meaning: generated programs on generated sentences, failures included."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from core.errors import ProgramError
from core.features import ATTRIBUTES, Features
from core.language import Evaluator, ParsedProgram, parse, reference
from core.language.vocabulary import MAX_NESTING, MAX_NODES
from core.types import Failure, HeadId
from tests.language_cases import build, row

WORDS = ["the", "The", "cat", "cats", "at", ".", ",", "", "😀", "é", "def", "foo(x)", "ca"]
LABELS = ["NOUN", "VERB", "at", ""]
NUMBERS = ["0", "1", "2", "3", "0.5", "0.1", "1.5", "7", "100", "1e6", "1e-06"]
NAMES = {"number": ["n0", "n1"], "boolean": ["b0"], "text": ["t0"], "token": ["x0"]}
Draw = Callable[[st.SearchStrategy[Any]], Any]


@lru_cache(maxsize=None, typed=True)
def one_of(options: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Made once for the thousands of times that it is drawn from."""
    return st.sampled_from(options)


class Grammar:
    """Draws source text; `assigned` are the locals that surely have a value at this point."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.assigned: frozenset[str] = frozenset()

    def pick(self, *options: Any) -> Any:
        return self.draw(one_of(options))

    def expression(self, kind: str, depth: int) -> str:
        known = [name for name in NAMES[kind] if name in self.assigned]
        if known and self.pick(True, False, False):
            return str(self.pick(*known))
        if depth == 0 or self.pick(True, False, False, False):
            return self.leaf(kind)
        return str(getattr(self, kind)(depth - 1))

    def leaf(self, kind: str) -> str:
        if kind == "number" and self.pick(True, False, False):
            return str(self.pick(*NUMBERS))
        if kind == "text" and self.pick(True, False):
            return repr(self.pick(*WORDS, *LABELS))
        token = self.pick("q", "k", "q.prev", "k.prev", "q.head", "k.next")
        if kind == "token":
            return str(token)
        return f"{token}.{self.pick(*[name for name, a in ATTRIBUTES.items() if a.kind == kind])}"

    def attribute(self, kind: str, depth: int) -> str:
        names = [name for name, attribute in ATTRIBUTES.items() if attribute.kind == kind]
        return f"({self.expression('token', depth)}).{self.pick(*names)}"

    def choice(self, kind: str, depth: int) -> str:
        test, then, otherwise = (self.expression(k, depth) for k in ("boolean", kind, kind))
        return f"({then} if {test} else {otherwise})"

    def number(self, depth: int) -> str:
        def number() -> str:
            return self.expression(self.pick("number", "number", "boolean"), depth)

        match self.pick(
            "attribute",
            "choice",
            "chain",
            "chain",
            "risky",
            "sign",
            "call",
            "similarity",
            "count",
            "table",
            "look",
        ):
            case "attribute":
                return self.attribute("number", depth)
            case "choice":
                return self.choice("number", depth)
            case "chain":
                first, second = self.pick("+", "-", "*"), self.pick("+", "-", "*")
                return f"({number()} {first} {number()} {second} {number()})"
            case "risky":
                return f"({number()} {self.pick('/', '//', '%', '**')} {number()})"
            case "large":
                return f"(({number()} + 10) ** {self.pick('3', '19', '38')})"
            case "sign":
                return f"({self.pick('-', '+')}{number()})"
            case "call":
                return f"{self.pick('abs', 'exp', 'log', 'sqrt')}({number()})"
            case "count":
                return self.search("count", depth)
            case "table":
                return self.table(depth)
            case "look":
                seen = self.pick("L0H0", "L0H0", "L0H0", "L0H0", "L7H7")  # the last is not at hand
                return f'look("{seen}", {self.expression("token", depth)}, {self.expression("token", depth)})'
        if self.pick(True, False):
            return f"{self.pick('min', 'max')}({number()}, {number()}, {number()})"
        return f"similarity({self.expression('token', depth)}, {self.expression('token', depth)})"

    def table(self, depth: int) -> str:
        kind = self.pick("text", "number")
        choices = {"text": ["'the'", "'NOUN'", "''"], "number": ["0", "-1", "2"]}[kind]
        entries = ", ".join(f"{choice}: {self.pick('0.5', '-2', '3')}" for choice in choices)
        return f"table({self.expression(kind, depth)}, {{{entries}}}, {self.expression('number', depth)})"

    def boolean(self, depth: int) -> str:
        match self.pick(
            "attribute", "choice", "numbers", "texts", "tokens", "none", "in", "logic", "not", "test"
        ):
            case "attribute":
                return self.attribute("boolean", depth)
            case "choice":
                return self.choice("boolean", depth)
            case "numbers":
                a, b, c = (self.expression("number", depth) for _ in range(3))
                orders = ("==", "!=", "<", "<=", ">", ">=")
                return f"({a} {self.pick(*orders)} {b} {self.pick(*orders)} {c})"
            case "texts" | "tokens" as kinds:
                a, b = (self.expression(kinds[:-1], depth) for _ in range(2))
                return f"({a} {self.pick('==', '!=')} {b})"
            case "none":
                return f"({self.expression('token', depth)} {self.pick('==', '!=')} None)"
            case "in":
                return self.membership(depth)
            case "logic":
                a, b, c = (self.expression("boolean", depth) for _ in range(3))
                operator = self.pick("and", "or")
                return f"({a} {operator} {b} {operator} {c})"
            case "not":
                return f"(not {self.expression('boolean', depth)})"
        a, b = (self.expression("text", depth) for _ in range(2))
        return f"{self.pick('startswith', 'endswith', 'contains')}({a}, {b})"

    def membership(self, depth: int) -> str:
        operator = self.pick("in", "not in")
        if self.pick(True, False):
            choices = ", ".join(repr(self.pick(*WORDS, *LABELS)) for _ in range(2))
            return f"({self.expression('text', depth)} {operator} [{choices}])"
        choices = self.pick("0, 1", "-1, 2", "0.1, 0.5")
        return f"({self.expression('number', depth)} {operator} {{{choices}}})"

    def text(self, depth: int) -> str:
        return self.choice("text", depth) if self.pick(True, False) else self.attribute("text", depth)

    def token(self, depth: int) -> str:
        match self.pick("choice", "attribute", "last", "last", "first"):
            case "choice":
                return self.choice("token", depth)
            case "attribute":
                return self.attribute("token", depth)
            case function:
                return self.search(function, depth)

    def search(self, function: str, depth: int) -> str:
        names = self.draw(st.lists(st.sampled_from(list(ATTRIBUTES)), min_size=1, max_size=2, unique=True))
        values = [f"{name}={self.expression(ATTRIBUTES[name].kind, depth)}" for name in names]
        start = [] if function == "first" else [self.expression("token", depth)]
        return f"{function}({', '.join(start + values)})"

    def block(self, depth: int, indent: str) -> tuple[list[str], bool]:
        """Lines, and whether every path through them returned."""
        lines: list[str] = []
        for _ in range(self.pick(1, 2, 3)):
            match self.pick("assign", "assign", "augment", "if", "if", "return", "pass"):
                case "return":
                    return [*lines, f"{indent}return {self.expression('number', depth)}"], True
                case "pass":
                    lines.append(f"{indent}pass")
                case "augment" if "n0" in self.assigned:
                    value = self.expression("number", depth)
                    lines.append(f"{indent}n0 {self.pick('+', '-', '*', '/')}= {value}")
                case "if" if depth > 0:
                    branch, returned = self.branches(depth - 1, indent)
                    lines += branch
                    if returned:
                        return lines, True
                case _:
                    kind = self.pick(*NAMES)
                    name = self.pick(*NAMES[kind])
                    value_kind = (
                        self.pick("number", "boolean") if name == "n1" and name in self.assigned else kind
                    )
                    lines.append(f"{indent}{name} = {self.expression(value_kind, depth)}")
                    self.assigned |= {name}
        return lines, False

    def branches(self, depth: int, indent: str) -> tuple[list[str], bool]:
        before, ends, lines = self.assigned, [], []
        for word in self.pick(("if",), ("if", "else"), ("if", "elif"), ("if", "elif", "else")):
            self.assigned = before
            test = "" if word == "else" else f" {self.expression('boolean', depth + 1)}"
            body, returned = self.block(depth, indent + "    ")
            lines += [f"{indent}{word}{test}:", *body]
            ends += [] if returned else [self.assigned]
        if word != "else":
            ends.append(before)
        self.assigned = frozenset.intersection(*ends) if ends else before
        return lines, not ends


@st.composite
def programs(draw: Draw) -> ParsedProgram:
    """A program of the language; few draws are refused for their size or for a literal power."""
    grammar = Grammar(draw)
    lines, returned = grammar.block(draw(st.integers(1, 3)), "    ")
    if not returned:
        lines.append(f"    return {grammar.expression('number', 3)}")
    source = "\n".join(["def attend(q, k):", *lines])
    try:
        return parse(source)
    except ProgramError as error:
        refusals = [problem.message for problem in error.problems]
    expected = ("too large", f"more than {MAX_NODES} nodes", f"nested deeper than {MAX_NESTING}", "bytes")
    for refusal in refusals:
        assert any(limit in refusal for limit in expected), source
    return reject()


@st.composite
def rows(draw: Draw, length: int) -> list[Mapping[str, Any]]:
    """One sentence of attribute values, consistent enough to be one."""
    values = {"number": (0, 1, 2, 3), "boolean": (False, True), "text": LABELS, "token": range(-1, length)}
    derived = {"index", "text", "lower", "length", "is_first", "is_punct", "is_title", "prev", "next"}
    free = {name: attribute.kind for name, attribute in ATTRIBUTES.items() if name not in derived}
    return [
        row(
            at,
            length,
            draw(one_of(tuple(WORDS))),
            **{name: draw(one_of(tuple(values[kind]))) for name, kind in free.items()},
        )
        for at in range(length)
    ]


@st.composite
def sentences(draw: Draw) -> Features:
    """One to three sentences of 0 to 6 tokens, with or without embeddings."""
    lengths = draw(st.lists(st.sampled_from([4, 2, 5, 1, 3, 6, 0]), min_size=1, max_size=3))
    seed = draw(st.none() | st.integers(0, 5))
    vectors = None
    if seed is not None:
        vectors = np.random.default_rng(seed).normal(size=(len(WORDS), 4)).astype(np.float32)
        vectors[1] = vectors[0]
    return build(*[draw(rows(length)) for length in lengths], embeddings=vectors)


def assert_agreement(parsed: ParsedProgram, features: Features, causal: bool) -> None:
    """Equal failures, and weights within 1e-5, on every sentence."""
    rng = np.random.default_rng(0)
    maps = [rng.random((n, n)).astype(np.float16) for n in features.lengths]
    seen = [np.tril(one) if causal else one for one in maps]
    evaluated = Evaluator(features, causal, looks={HeadId(0, 0): seen}).run(parsed)
    for at, n in enumerate(features.lengths):
        expected = reference(parsed, features.tokens(at), causal, {HeadId(0, 0): seen[at]})
        weights = evaluated.weights[at].numpy()
        if isinstance(expected, Failure):
            assert evaluated.failures.get(at) == expected
            assert not weights.any()
        else:
            assert at not in evaluated.failures
            np.testing.assert_allclose(weights[:n, :n], np.array(expected).reshape(n, n), atol=1e-5)
            assert not weights[n:].any()
            assert not weights[:, n:].any()


SLOW_DRAWS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(programs(), sentences())
def test_both_evaluators_agree(parsed: ParsedProgram, features: Features) -> None:
    for causal in (True, False):  # drawing a program takes longer than running it
        assert_agreement(parsed, features, causal)


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None, suppress_health_check=SLOW_DRAWS)
@given(programs(), sentences(), st.booleans())
def test_both_evaluators_agree_at_length(parsed: ParsedProgram, features: Features, causal: bool) -> None:
    assert_agreement(parsed, features, causal)

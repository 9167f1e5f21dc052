"""A function that comes in through the door is one of the language, everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import PluginError, ProgramError
from core.language import (
    FUNCTIONS,
    Evaluator,
    Function,
    ScalarCall,
    TensorCall,
    Value,
    describe,
    reference,
)
from core.language.export import export
from core.language.tune import literals, tune
from core.language.values.tensors import Bounds
from core.proposers.llm import guide
from tests.language_cases import CAT_FEATURES, cat_tokens, program

BODY = "1.5 + sign(k.index - 2) + 0.2 * sign(0.7 * k.length)"


def _sign(call: ScalarCall) -> float:
    number = call.numbers[0]
    return float(number > 0) - float(number < 0)


def _sign_of_tensor(call: TensorCall) -> Value:
    return Value(call.numbers[0].tensor.sign(), Bounds(-1.0, 1.0))


SIGN = Function(
    "sign",
    ("number",),
    "number",
    "-1, 0 or 1, as the number is below, at or above 0",
    "sign(q.index - k.index)",
    scalar=_sign,
    tensor=_sign_of_tensor,
    exported='''
def sign(number: float) -> Number:
    """-1, 0 or 1."""
    return Number((number > 0) - (number < 0))
''',
    may_fit=True,
    place="is one",
)


@pytest.fixture
def _sign_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FUNCTIONS, "_entries", dict(FUNCTIONS))
    FUNCTIONS.add(SIGN)


def test_without_the_function_a_program_that_calls_it_is_refused() -> None:
    with pytest.raises(ProgramError, match="`sign` is not a function of the language"):
        program(BODY)


@pytest.mark.usefixtures("_sign_exists")
def test_both_evaluators_know_it() -> None:
    weights = np.array([0.7, 0.7, 1.7, 2.7, 2.7])
    for row in (
        reference(program(BODY), cat_tokens())[4],
        Evaluator(CAT_FEATURES).run(program(BODY)).weights[0, 4],
    ):
        np.testing.assert_allclose(row, weights / weights.sum(), atol=1e-6)


@pytest.mark.usefixtures("_sign_exists")
def test_a_wrong_call_says_how_it_is_written() -> None:
    with pytest.raises(
        ProgramError, match=r"`sign` takes 1 argument, found 2; write `sign\(q.index - k.index\)`"
    ):
        program("sign(1, 2)")
    with pytest.raises(ProgramError, match=r"`sign` needs a number there"):
        program("sign(k.text)")


@pytest.mark.usefixtures("_sign_exists")
def test_literals_in_it_are_fitted_as_it_says() -> None:
    # 1.5 is added to what says that it is a place, so it stays
    assert [literal.value for literal in literals(program(BODY))] == [0.2, 0.7]
    start = program("weight = 1 + sign(q.index)\nif k.is_first:\n    weight *= 2.0\nreturn weight")
    wanted = Evaluator(CAT_FEATURES).run(program("9.0 if k.is_first else 1")).weights
    (fitted,) = tune([(start, wanted)], CAT_FEATURES)
    weights = Evaluator(CAT_FEATURES).run(fitted.program).weights
    np.testing.assert_allclose(weights, wanted, atol=0.01)


@pytest.mark.usefixtures("_sign_exists")
def test_describe_takes_it_for_what_it_says() -> None:
    assert describe(program("sign(q.length) == sign(k.length)")).category == "sequential"


@pytest.mark.usefixtures("_sign_exists")
def test_an_exported_program_has_it(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(export(program("1.5 + sign(k.index - 1)")), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-E", str(path)]
    done = subprocess.run(command, input=b'["a", " b", " c"]', capture_output=True, check=True)
    assert b"[0.1111111111111111, 0.3333333333333333, 0.5555555555555556]" in done.stdout


@pytest.mark.usefixtures("_sign_exists")
def test_the_guide_explains_it() -> None:
    line = f"- sign(number) -> number: {SIGN.meaning}; `{SIGN.example}`"
    assert line in guide.system.__wrapped__()


def test_the_example_of_the_docs_is_this_function(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs/extending.md").read_text(encoding="utf-8")
    source = page.partition("## A function of the language")[2].split("```python\n")[1].split("```")[0]
    *definitions, last = ast.parse(source).body
    names = {"Function": Function, "Value": Value, "Bounds": Bounds}
    exec(compile(ast.Module(definitions, []), "extending.md", "exec", dont_inherit=False), names)
    assert isinstance(last, ast.Expr)
    written = eval(compile(ast.Expression(last.value), "extending.md", "eval"), names)
    monkeypatch.setattr(FUNCTIONS, "_entries", dict(FUNCTIONS))
    FUNCTIONS.add(written)
    expected = reference(program(BODY), cat_tokens())
    np.testing.assert_allclose(Evaluator(CAT_FEATURES).run(program(BODY)).weights[0], expected, atol=1e-6)
    assert written.exported == SIGN.exported


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(PluginError, match="a function of the language called 'abs' already"):
        FUNCTIONS.add(FUNCTIONS["abs"])

"""An exported program run by a bare Python: no site packages, no environment, nothing of Headscript."""

import ast
import json
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ProgramError
from core.features import ATTRIBUTES, Features, annotate, missing_value
from core.language import FUNCTIONS, ParsedProgram, parse, reference
from core.language.export import export, must_be_given
from core.types import Failure, HeadId, Sentence, Split
from tests import tiny
from tests.language_cases import CASES, CAT_FEATURES, FAILURES, program

BARE = [sys.executable, "-I", "-S", "-E"]
# Runs files as modules and prints, for each, its weights or its error.
DRIVER = """
import json, runpy, sys
results = []
for path, tokens, causal in json.load(sys.stdin):
    exported = runpy.run_path(path)
    try:
        results.append(exported["attention"](tokens, causal))
    except exported["AttentionError"] as error:
        results.append(str(error))
print(json.dumps(results))
"""
PASSAGE = 'The FOX ran off. "Why?" asked Ada (7).\n\nBecause, he said. Then it ended ... so there!'
Run = tuple[ParsedProgram, Any, bool]  # program, tokens as a user gives them, causal


def run_bare(
    folder: Path, runs: Sequence[Run], looked: Mapping[HeadId, ParsedProgram] | None = None
) -> list[Any]:
    """What each exported program gives in one bare process."""
    work = []
    for at, (parsed, tokens, causal) in enumerate(runs):
        path = folder / f"{at}.py"
        path.write_text(export(parsed, looked), encoding="utf-8")
        work.append((str(path), tokens, causal))
    given = json.dumps(work)
    done = subprocess.run([*BARE, "-c", DRIVER], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def as_given(features: Features, names: Sequence[str]) -> list[dict[str, Any]]:
    """The first sentence as a user gives it: texts with white space, and these attributes."""
    return [
        {"text": surface}
        | {name: token.values[name] for name in names}
        | ({} if token.vector is None else {"vector": token.vector.astype(float).tolist()})
        for surface, token in zip(features.surfaces, features.tokens(0), strict=True)
    ]


def as_script(folder: Path, parsed: ParsedProgram, given: str, *options: str) -> tuple[int, str, str]:
    """Exit code, output and errors of an exported file run as a script."""
    path = folder / "program.py"
    path.write_text(export(parsed), encoding="utf-8")
    command = [*BARE, str(path), *options]
    done = subprocess.run(command, input=given.encode(), capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def reading(name: str) -> str:
    """An expression whose value hangs on attribute `name` of both tokens."""
    return {
        "number": f"abs(q.{name} - k.{name} + 0.3)",
        "boolean": f"1.0 + q.{name} + 2 * k.{name}",
        "text": f"1.0 + (q.{name} == k.{name}) + startswith(k.{name}, q.{name})",
        "token": f"1.0 + (q.{name} == k.{name}) + 3 * (k.{name} == q) + (q.{name} == None)",
    }[ATTRIBUTES[name].kind]


def test_every_case_of_the_language_gives_what_the_reference_gives(tmp_path: Path) -> None:
    given = as_given(CAT_FEATURES, [name for name in ATTRIBUTES if name != "text"])
    runs = [(program(case.body), given, case.causal) for case in CASES]
    for case, weights in zip(CASES, run_bare(tmp_path, runs), strict=True):
        expected = reference(program(case.body), CAT_FEATURES.tokens(0), case.causal)
        np.testing.assert_allclose(weights, expected, atol=1e-4, err_msg=case.name)


def test_what_fails_in_the_reference_is_an_error_that_names_the_pair(tmp_path: Path) -> None:
    given = as_given(CAT_FEATURES, [name for name in ATTRIBUTES if name != "text"])
    runs = [(program(body), given, True) for _, body, _, _ in FAILURES]
    for failure, error in zip(FAILURES, run_bare(tmp_path, runs), strict=True):
        assert isinstance(error, str), failure
        assert error.startswith("query "), error


@pytest.mark.parametrize(("kind", "text"), [("byte", PASSAGE), ("wordpiece", f"{PASSAGE} “No …” «a» é")])
def test_attributes_worked_out_from_the_texts_are_those_of_the_app(
    tmp_path: Path, kind: str, text: str
) -> None:
    features = annotate([Sentence("s0", text, "text", Split.TRAIN)], tiny.tokenizer(kind))
    syntax = [name for name in must_be_given() if name != "vector"]
    given = as_given(features, syntax)
    for row in given:
        if row["text"] in ("[CLS]", "[SEP]"):
            row["special"] = True
    programs = [program(f"return {reading(name)}") for name in ATTRIBUTES]
    found = run_bare(tmp_path, [(parsed, given, False) for parsed in programs])
    for name, parsed, weights in zip(ATTRIBUTES, programs, found, strict=True):
        expected = reference(parsed, features.tokens(0), causal=False)
        assert not isinstance(expected, Failure)
        np.testing.assert_allclose(weights, expected, atol=1e-4, err_msg=name)


LOOKED = {
    HeadId(0, 0): program("return 1.0"),  # no program looks at it
    HeadId(0, 1): program('return 0.5 ** (q.index - k.index) + (k.pos == "NOUN")'),
    HeadId(0, 2): program('return look("L0H1", q, k.prev) * table(k.index, {0: 2, 2: 0.5}, 1)'),
    HeadId(1, 1): program(
        'if k.index > 1:\n    return look("L0H1", q.prev, k)\nreturn look("L0H2", q, k) ** 2'
    ),
}
LOOKS = program('return look("L1H1", q, k) + 0.3 * look("L0H1", k, q) + 0.1 * k.is_first')


def resolved(head: HeadId, causal: bool) -> Any:
    """What a head's program gives where its references read programs, too."""
    parsed = LOOKED[head]
    looks = {one: resolved(one, causal) for one in parsed.looks}
    return reference(parsed, CAT_FEATURES.tokens(0), causal, looks)


@pytest.mark.parametrize("causal", [True, False])
def test_a_program_that_looks_reads_the_programs_of_those_heads(tmp_path: Path, causal: bool) -> None:
    given = as_given(CAT_FEATURES, ["pos"])
    (found,) = run_bare(tmp_path, [(LOOKS, given, causal)], LOOKED)
    looks = {head: resolved(head, causal) for head in LOOKS.looks}
    expected = reference(LOOKS, CAT_FEATURES.tokens(0), causal, looks)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_file_says_whose_programs_it_carries_and_asks_for_what_they_read(tmp_path: Path) -> None:
    text = export(LOOKS, LOOKED)
    assert "# L0H1, L0H2, L1H1 are read from their own programs here, not from the model\n" in text
    assert "# Give with every token: text, pos\n" in text
    assert all(LOOKED[head].source.strip() in text for head in (HeadId(0, 1), HeadId(0, 2), HeadId(1, 1)))
    assert 'PROGRAMS["L0H0"]' not in text
    (found,) = run_bare(tmp_path, [(LOOKS, ["The", " cat"], True)], LOOKED)
    assert "token 0 ('The') has no 'pos', which this program reads" in found
    assert "# L0H1 is read from its own program here, not from the model\n" in export(
        program('look("L0H1", q, k)'), LOOKED
    )


def test_maps_are_those_of_the_passage_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(export(program('look("L0H1", q, k)'), {HeadId(0, 1): program("k == q.prev")}))
    attention = runpy.run_path(str(path))["attention"]
    assert attention(["a", " b", " c"]) == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert attention([" b"]) == [[1]]


def test_a_program_that_is_looked_at_and_fails_is_named_where_it_is_read(tmp_path: Path) -> None:
    looked = {HeadId(0, 1): program("return 1 / k.index")}
    runs = [
        (program('look("L0H1", q, k)'), ["a"], True),
        (program('if k.index > 7:\n    return look("L0H1", q, k)\nreturn 1.0'), ["a"], True),
    ]
    failed, unread = run_bare(tmp_path, runs, looked)
    assert failed == "L0H1: query 0, key 0: float division by zero"
    assert unread == [[1]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('look("L3H1", q, k)', "this program looks at L3H1, which has no program yet"),
        ('look("L1H2", q, k)', "L1H2, which this program looks at, looks at L0H7, which has no program yet"),
        ('look("L1H3", q, k)', "the program of L1H3 looks at L1H4, which does not come before L1H3"),
    ],
)
def test_programs_that_are_missing_or_read_what_they_may_not_are_refused(body: str, message: str) -> None:
    looked = {
        HeadId(1, 2): program('look("L0H7", q, k)'),
        HeadId(1, 3): program('look("L1H4", q, k)'),
        HeadId(1, 4): program('look("L1H3", q, k)'),
    }
    with pytest.raises(ProgramError, match=message):
        export(program(body), looked)


@pytest.mark.parametrize(
    "source",
    [
        '# </program>\ndef attend(q, k):\n    """\nPROGRAMS["L0H0"] = 1\n"""\n    return 1 # \\\n# \\',
        'def attend(q, k):\n    """\n# <functions>\n# </program>\n"""\n    return 1',
    ],
    ids=["markers", "docstring"],
)
def test_a_program_that_is_carried_breaks_out_nowhere(tmp_path: Path, source: str) -> None:
    looked = {HeadId(0, 1): parse(source)}
    looks = program('return look("L0H1", q, k)')
    text = export(looks, looked)
    assert source in text
    assert defined(text) == defined(export(looks, {HeadId(0, 1): program("return 1")}))
    assert run_bare(tmp_path, [(looks, ["a"], True)], looked) == [[[1]]]


def test_script_reads_json_and_prints_json(tmp_path: Path) -> None:
    code, output, errors = as_script(tmp_path, program("k == q.prev"), '["The", " cat", " sat"]')
    assert (code, errors) == (0, "")
    assert json.loads(output) == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_script_lets_tokens_look_ahead_in_an_encoder(tmp_path: Path) -> None:
    _, output, _ = as_script(tmp_path, program("k.next == None"), '["a", " b"]', "--encoder")
    assert json.loads(output) == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("body", "given", "message"),
    [
        ('k.pos == "X"', '[{"text": "a", "pos": "X"}, " b"]', "token 1 (' b') has no 'pos'"),
        ("k.head == q", '["a"]', "token 0 ('a') has no 'head'"),
        ("similarity(q, k)", '["a"]', "token 0 ('a') has no 'vector'"),
        (
            "k.head == q",
            '[{"text": "a", "head": 1}]',
            "token 0 has 'head' = 1; it must be a place from 0 to 0",
        ),
        ("k.is_stop", '[{"text": "a", "is_stop": 1}]', "'is_stop' = 1; it must be true or false"),
        ('k.pos == "X"', '[{"text": "a", "pos": 3}]', "'pos' = 3; it must be text"),
        ("k.length", '[{"text": "a", "length": "1"}]', "'length' = '1'; it must be a number"),
        ("similarity(q, k)", '[{"text": "a", "vector": 1}]', "it must be a list of numbers"),
        ("1", "[3]", "token 0 is 3; write"),
        ("1", '{"text": "a"}', "must be a JSON list"),
        ("1", "[", "Expecting value"),
        ("1 / k.index", '["a"]', "query 0, key 0: float division by zero"),
    ],
)
def test_script_says_what_is_wrong_without_a_traceback(
    tmp_path: Path, body: str, given: str, message: str
) -> None:
    code, output, errors = as_script(tmp_path, program(body), given)
    assert (code, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors


def test_syntax_is_not_asked_for_by_programs_that_do_not_read_it(tmp_path: Path) -> None:
    assert run_bare(tmp_path, [(program("k.is_punct"), ["a", "!"], True)]) == [[[1, 0], [0, 1]]]


def test_no_tokens_give_no_weights(tmp_path: Path) -> None:
    assert run_bare(tmp_path, [(program("first(is_punct=True) == k"), [], True)]) == [[]]


@pytest.mark.parametrize(
    "source",
    [
        '# first\ndef attend(q, k):\n    """What it does."""\n    # why\n    return 1  # so\n# last',
        "def attend(q, k):\n    '''\\'\\'\\' \"\"\"\nimport os\nos.abort() # </program>\n'''\n    return 1",
        '# """\n# </program>\n# <program>\ndef attend(q, k):\n    return 1 # """ \\',
        'def attend(q, k):\n    "é \\u202e \\\\"\n    return k.text == "\'\\"\\"\\"\\n</program>"',
    ],
    ids=["comments", "docstring", "markers", "escapes"],
)
def test_program_stands_in_the_file_as_written_and_nowhere_breaks_out(tmp_path: Path, source: str) -> None:
    parsed = parse(source)
    text = export(parsed)
    assert source in text
    assert defined(text) == defined(export(program("return 2")))
    assert run_bare(tmp_path, [(parsed, ["a"], True)]) == [[[1]]]


def defined(text: str) -> list[str]:
    """The kind and name of everything at the top level of a Python file."""
    return [
        f"{type(node).__name__} {getattr(node, 'name', '') or ast.dump(node)[:200] * (not is_reads(node))}"
        for node in ast.parse(text).body
    ]


def is_reads(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "READS"


def test_file_needs_only_the_standard_library() -> None:
    nodes = list(ast.walk(ast.parse(export(program("return similarity(q, k)")))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names


def test_exported_file_has_the_whole_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(export(program("return 1")), encoding="utf-8")
    runtime = runpy.run_path(str(path))
    assert {*runtime["MISSING"], *runtime["LINKS"]} == set(ATTRIBUTES)
    assert {*runtime["COMPUTED"], *must_be_given()} == {*ATTRIBUTES, "vector"}
    assert all(missing_value(name) == value for name, value in runtime["MISSING"].items())
    assert all(callable(runtime[name]) for name in FUNCTIONS)
    assert all(name in runtime["__doc__"] for name in ATTRIBUTES)


@pytest.mark.parametrize(
    "body",
    [
        "weight = 9\nreturn weight ** weight ** weight",
        "weight = 10\n" + "weight *= weight\n" * 20 + "return weight",
        "weight = True + True\nif k.is_first:\n    weight = 1e3 ** 2\nreturn (weight + 9) ** 999 * k.index",
        "return 1 if (k.is_title + 9) ** 999 > 0 else 0",
    ],
)
def test_whole_numbers_that_could_grow_without_limit_are_refused(body: str) -> None:
    with pytest.raises(ProgramError, match="grow without limit"):
        export(program(body))


@pytest.mark.parametrize(
    "body",
    [
        "weight = 9.0\nreturn weight ** weight ** weight",
        "return (k.length + 1000) ** 200",
        "return 2 ** 9 * 3 ** 4 // 2 % 7 - 1",
        "return 2 ** count(q, is_punct=True)",
    ],
)
def test_floats_cannot_grow_and_are_exported(body: str) -> None:
    assert "def attend" in export(program(body))

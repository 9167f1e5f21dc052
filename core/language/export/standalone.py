"""One program as a Python file that runs without Headscript.

The file is runtime.py with attributes and functions copied in from where they are defined, and the program,
comments and docstring included, in its middle; before it the programs of the heads it looks at. A program's
text has passed the closed language, so it is one function and nothing else; that the file then differs from
any other in these functions, the names of their heads and the list of attributes alone is checked once more
on its syntax tree.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import Problem, ProgramError
from core.features import ATTRIBUTES
from core.language import nodes as n
from core.language.export.copied import attributes_text, functions_text, must_be_given, named
from core.language.reading.program import ParsedProgram
from core.language.reading.syntax import syntax_tree
from core.language.vocabulary import PROGRAM_NAME
from core.language.walk import children
from core.types import HeadId

_NEEDED = "# for what is copied below\nimport unicodedata\nfrom dataclasses import dataclass\n"
_RUNTIME = Path(__file__).with_name("runtime.py")


def export(program: ParsedProgram, looked: Mapping[HeadId, ParsedProgram] | None = None) -> str:
    """Python source that gives the program's attention weights from a list of tokens (see runtime.py).

    Of the heads that the program looks at, directly or through others, the file carries the programs in
    `looked`. Numbers are 64-bit there. Raises ProgramError where one of those is missing or looks at a head
    that does not come before its own, and where whole numbers could grow without limit, as Python's do: that
    takes arithmetic on literals alone, through locals, beyond anything a weight needs.
    """
    carried = _carried(program, looked or {})
    for one in (*carried.values(), program):
        _WholeNumbers(one.source).check(one.body)
    runtime = _runtime()
    text = _with(runtime, "program", _written(program, carried))
    _verify(text, runtime, program, carried)
    return text


def _carried(program: ParsedProgram, looked: Mapping[HeadId, ParsedProgram]) -> dict[HeadId, ParsedProgram]:
    """The programs of all heads that a program looks at, directly or through others, in their order."""
    found: dict[HeadId, ParsedProgram] = {}
    wanted = [(head, "this program") for head in sorted(program.looks)]
    while wanted:
        head, by = wanted.pop()
        if head in found:
            continue
        if head not in looked:
            raise ProgramError(
                [Problem(1, 1, f"{by} looks at {head}, which has no program yet that the file could carry")]
            )
        found[head] = looked[head]
        if not found[head].may_stand_for(head):
            late = max(found[head].looks)
            message = f"the program of {head} looks at {late}, which does not come before {head}"
            raise ProgramError([Problem(1, 1, message)])
        wanted += [(one, f"{head}, which this program looks at,") for one in sorted(found[head].looks)]
    return dict(sorted(found.items()))


def _runtime() -> str:
    """An exported file with no program yet."""
    text = _RUNTIME.read_text(encoding="utf-8")
    text = text.replace("<computed>", named(from_parser=False)).replace("<given>", named(from_parser=True))
    text = _with(text, "repository", "").replace("# <repository>\n# </repository>\n", _NEEDED)
    text = _with(text, "attributes", f"{attributes_text()}\n\n")
    return _with(text, "functions", f"{functions_text()}\n\n")


def _with(text: str, name: str, content: str) -> str:
    """A file with this content between the marks of that name."""
    begin, end = f"# <{name}>\n", f"# </{name}>\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{content}{end}{after}"


def reads(*programs: ParsedProgram) -> tuple[str, ...]:
    """The token attributes that the exported file asks for, "vector" for similarity() among them."""
    features = frozenset[str]().union(*(program.features for program in programs))
    names = [name for name in ATTRIBUTES if name in features]
    return (*names, *(["vector"] if "similarity" in features else []))


def _written(program: ParsedProgram, carried: Mapping[HeadId, ParsedProgram]) -> str:
    """What is the file's own: programs as they were written, that of the file last."""
    text = f"{_header(program, carried)}\n\n"
    for head, one in carried.items():
        text += f"# {head}: Headscript program {one.id}\n\n\n{_source(one)}\n\n\n{_filed(head)}\n\n"
    return f"{text}{_source(program)}\n\n\n"


def _header(program: ParsedProgram, carried: Mapping[HeadId, ParsedProgram]) -> str:
    names = reads(program, *carried.values())
    given = [name for name in names if name in must_be_given()]
    listed = "".join(f'\n    "{name}",' for name in names)
    heads = list(map(str, carried))
    resolved = f"{', '.join(heads)} {'is' if len(heads) == 1 else 'are'} read from"
    own = "its own program" if len(heads) == 1 else "their own programs"
    return "\n".join(
        [
            f"# Headscript program {program.id}",
            *([f"# {resolved} {own} here, not from the model"] if heads else []),
            f"# Give with every token: {', '.join(['text', *given])}",
            f"READS: tuple[str, ...] = ({listed}\n)" if names else "READS: tuple[str, ...] = ()",
        ]
    )


def _source(program: ParsedProgram) -> str:
    return program.source.strip("\n")


def _filed(head: HeadId) -> str:
    """The statement that makes the function before it the program of a head."""
    return f'PROGRAMS["{head}"] = {PROGRAM_NAME}'


def _verify(text: str, runtime: str, program: ParsedProgram, carried: Mapping[HeadId, ParsedProgram]) -> None:
    """The file is the runtime with these programs' functions and attributes in place of its own."""
    wanted: list[ast.stmt] = []
    for node in syntax_tree(runtime).body:
        if isinstance(node, ast.FunctionDef) and node.name == PROGRAM_NAME:
            for head, one in carried.items():
                wanted += [_function(one), *syntax_tree(_filed(head)).body]
            wanted.append(_function(program))
            continue
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "READS"
        ):
            names = reads(program, *carried.values())
            node.value = ast.Tuple([ast.Constant(name) for name in names], ast.Load())
        wanted.append(node)
    found = [ast.dump(node) for node in syntax_tree(text).body]
    if found != [ast.dump(node) for node in wanted]:
        raise AssertionError("the exported file holds more than its programs")


def _function(program: ParsedProgram) -> ast.stmt:
    """The one statement of a program's source."""
    (function,) = syntax_tree(program.source).body
    return function


class _WholeNumbers:
    """Bounds on the numbers that Python computes as whole ones: from literals, and truths as 1 and 0.

    A bound is the largest magnitude, or None where the value is never such a number: what involves a
    number of a token or the result of a function is a float there, which takes the same space at any size.
    """

    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self.locals: dict[str, float | None] = {}

    def check(self, block: n.Block) -> None:
        """Follow the statements of a block; raises ProgramError where a bound is infinite."""
        for statement in block:
            match statement:
                case n.Assign():
                    self.locals[statement.name] = self.bound(statement.value)
                case n.Return():
                    self.bound(statement.value)
                case n.If():
                    self._branches(statement)

    def _branches(self, statement: n.If) -> None:
        before, ends = self.locals, []
        for test, block in statement.branches:
            self.locals = dict(before)
            self.bound(test)
            self.check(block)
            ends.append(self.locals)
        self.locals = dict(before)
        self.check(statement.otherwise)
        ends.append(self.locals)
        names = {name for end in ends for name in end}
        self.locals = {name: _largest([end.get(name) for end in ends]) for name in names}

    def bound(self, node: n.Expression) -> float | None:
        """The bound of an expression, after checking all inside it."""
        inside = [self.bound(child) for child in children(node)]
        match node:
            case n.Number():
                written = self.lines[node.line - 1][node.column - 1 : node.end_column - 1]
                return node.value if written.replace("_", "").isdigit() else None
            case n.Local():
                return self.locals.get(node.name)
            case n.Sign():
                return inside[0]
            case n.Arithmetic():
                return self._chain(node, inside)
            case n.Conditional():
                return _largest(inside[1:])
        return 1.0 if node.kind == "boolean" else None

    def _chain(self, node: n.Arithmetic, operands: list[float | None]) -> float | None:
        value = operands[0]
        for step, operand in zip(node.steps, operands[1:], strict=True):
            value = None if value is None or operand is None else _grown(step.operator, value, operand)
            if value is not None and not math.isfinite(value):
                found = "whole numbers could grow without limit here in an exported file"
                message = f"{found}; begin with a decimal point, such as 2.0"
                raise ProgramError([Problem(step.line, step.column, message)])
        return value


def _largest(bounds: Sequence[float | None]) -> float | None:
    return max((bound for bound in bounds if bound is not None), default=None)


def _grown(symbol: n.ArithmeticOperator, left: float, right: float) -> float | None:
    """The bound of an operation on whole numbers with these bounds."""
    match symbol:
        case "+" | "-":
            return left + right
        case "*":
            return left * right
        case "**":
            try:
                return max(1.0, float(left**right))
            except OverflowError:
                return math.inf
        case "//":
            return left
        case "%":
            return right
    return None  # `/` gives a float

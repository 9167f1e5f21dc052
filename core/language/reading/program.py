"""Source text to a ParsedProgram, or a ProgramError that lists everything wrong with it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cached_property

from core.errors import Problem, ProgramError
from core.language.factors import Factor, factors_of
from core.language.functions import needs_lookahead
from core.language.nodes import Block
from core.language.reading.lexical import check_text, check_tokens, refuse_long
from core.language.reading.problems import Problems
from core.language.reading.refusals import refuse_statement
from core.language.reading.statements import StatementReader
from core.language.reading.syntax import syntax_tree
from core.language.render import render
from core.language.vocabulary import PARAMETERS, PROGRAM_NAME
from core.types import HeadId, is_plain

NOT_READ = (
    "this is plain Python, which the sandbox runs and nothing here can read: it cannot be edited, fitted, "
    "calibrated, traced, audited or exported; `convert` finds a program of the language that does the same"
)
_HEADER = f"def {PROGRAM_NAME}({', '.join(PARAMETERS)}):"


@dataclass(frozen=True)
class ParsedProgram:
    """A program that has been checked and can be evaluated."""

    source: str  # as given, with every line break a newline
    docstring: str  # "" if there is none
    body: Block
    id: str  # 16 hex digits: sha256 of the canonical source (see render.py)
    features: frozenset[str]  # token attributes read, and token functions called
    nodes: int
    looks: frozenset[HeadId] = frozenset()  # the heads whose attention it reads

    @cached_property
    def factors(self) -> tuple[Factor, ...] | None:
        """What it multiplies, if that is all it does; see `factors_of`."""
        return factors_of(self.body)

    @property
    def lookahead(self) -> bool:
        """Whether it needs text to the right of a token, so cannot run while text is being generated."""
        return any(needs_lookahead(feature) for feature in self.features)

    def may_stand_for(self, head: HeadId) -> bool:
        """Whether every head it looks at comes before this one, so that looks never go in a circle."""
        return not self.why_not_for(head)

    def why_not_for(self, head: HeadId) -> str:
        """Why it is not available for a head: what it looks at that does not come before; empty if it is."""
        beyond = ", ".join(str(looked) for looked in sorted(self.looks) if not looked < head)
        if not beyond:
            return ""
        allowed = "earlier layers, and lower numbers of the same layer"
        return f"it looks at {beyond}, which does not come before {head}; it may look at heads of {allowed}"


def parse(source: str) -> ParsedProgram:
    """Read a program; no part of it is ever run by Python.

    Raises ProgramError with every problem in source order; lines and columns count from 1, columns in
    characters.
    """
    if is_plain(source):
        raise ProgramError([Problem(1, 1, NOT_READ)])
    refuse_long(source)
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    problems = Problems(source)
    check_text(problems)
    problems.raise_if_any()
    safe = check_tokens(source, problems)
    module = _python_tree(source, problems) if safe else None
    function = None if module is None else _only_function(module, problems)
    if function is None:
        problems.raise_if_any()
        raise AssertionError("no function and no problem")
    _check_header(function, problems)
    statements = list(function.body)
    docstring = _take_docstring(statements)
    reader = StatementReader(problems)
    body = reader.body(function, statements)
    problems.raise_if_any()
    identity = hashlib.sha256(render(body).encode()).hexdigest()[:16]
    features, looks = frozenset(reader.expressions.features), frozenset(reader.expressions.looks)
    return ParsedProgram(source, docstring, body, identity, features, reader.expressions.nodes, looks)


def without_docstring(source: str) -> str:
    """The text of a program as it would be without its docstring; as it is where that shares its lines."""
    function = next(one for one in syntax_tree(source).body if isinstance(one, ast.FunctionDef))
    match function.body:
        case [ast.Expr(value=ast.Constant(value=str())) as docstring, following, *_]:
            lines = source.split("\n")
            first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
            if function.lineno < first and last < following.lineno:
                return "\n".join(lines[: first - 1] + lines[last:])
    return source


def _python_tree(source: str, problems: Problems) -> ast.Module | None:
    try:
        return syntax_tree(source)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        problems.add(line, column, f"Python cannot read this: {error.msg}; correct the spelling here")
    except (RecursionError, MemoryError):
        problems.add(1, 1, "nested too deeply to be read; name the parts and combine the names")
    except ValueError as error:  # also UnicodeError
        problems.add(1, 1, f"Python cannot read this: {error}; correct the spelling")
    return None


def _only_function(module: ast.Module, problems: Problems) -> ast.FunctionDef | None:
    """The one `attend`; everything beside it is a problem."""
    function = None
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == PROGRAM_NAME and function is None:
            function = statement
        elif isinstance(statement, ast.FunctionDef):
            found = f"found the function `{statement.name}`"
            problems.at(statement, f"{found}; a program is exactly one `{_HEADER}`, so rename or remove it")
        elif isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.If | ast.Pass | ast.Return):
            problems.at(statement, f"found code outside `{PROGRAM_NAME}`; move it below `{_HEADER}`")
        else:
            problems.at(statement, refuse_statement(statement))
    if function is None:
        problems.add(1, 1, f"there is no `{PROGRAM_NAME}`; begin the program with `{_HEADER}`")
    return function


def _check_header(function: ast.FunctionDef, problems: Problems) -> None:
    for decorator in function.decorator_list:
        problems.at(decorator, "found a decorator; remove it")
    if function.returns is not None:
        problems.at(function.returns, f"found a return annotation; write `{_HEADER}`")
    if parameters := vars(function).get("type_params"):  # Python 3.12 and later
        problems.at(parameters[0], f"found type parameters; write `{_HEADER}`")
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for default in [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]:
        problems.at(default, f"found a default; write `{_HEADER}`")
    for argument in named:
        if argument.annotation is not None:
            problems.at(argument.annotation, f"found an annotation; write `{_HEADER}`")
    names = tuple(argument.arg for argument in arguments.args)
    special = arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg
    if names != PARAMETERS or special:
        problems.at(function, f"`{PROGRAM_NAME}` takes exactly the two tokens; write `{_HEADER}`")


def _take_docstring(statements: list[ast.stmt]) -> str:
    """Remove the docstring from the front and give its text, indentation removed."""
    match statements:
        case [ast.Expr(value=ast.Constant(value=str(text))), *_]:
            del statements[0]
            lines = [line.strip() for line in text.strip().split("\n")]
            return "\n".join(lines)
    return ""

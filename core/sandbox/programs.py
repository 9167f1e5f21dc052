"""Files of plain-Python programs: which functions there are, and of each what it needs to run alone.

A program is a top-level function of a sentence and a tokenizer that returns (name, matrix). Its text is that
function with the imports, constants and helpers that it names, under a first line that says what it is:

    # plain Python: previous_token
    import numpy as np

    def previous_token(sentence, tokenizer):
        ...

Files are read as syntax trees; nothing of them is run here.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import SandboxError
from core.files import read_text
from core.language import syntax_tree
from core.sandbox.guest import PRELOADED
from core.types import PLAIN_MARK, is_plain

_MAX_FILE = 2**24  # bytes; 1,664 published programs are about 4 MB
_MAX_PROGRAM = 2**16  # bytes of one program with its helpers, as of any in a hybrid's folder
_NAMES_ONLY = frozenset({"transformers", "torch"})  # libraries of which annotations may use the names
_STAND_INS = frozenset({"spacy"}) | _NAMES_ONLY
_THERE = frozenset(name.partition(".")[0] for name in PRELOADED) | _STAND_INS | {"os", "sys", "io"}


@dataclass(frozen=True)
class PlainSource:
    """A program of plain Python, ready to be sent to a guest."""

    name: str  # of its function
    source: str  # with the line that says what it is
    docstring: str
    nodes: int  # of its syntax tree
    needs: tuple[str, ...]  # the libraries it imports
    refused: str = ""  # why it may not be kept or run; empty if it may

    @property
    def id(self) -> str:
        """16 hex digits: sha256 of its text."""
        return hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def missing(self) -> tuple[str, ...]:
        """Libraries it imports that the sandbox does not have."""
        return tuple(name for name in self.needs if name not in _THERE)

    @property
    def asks_spacy(self) -> bool:
        """Whether it reads spaCy's document."""
        return "spacy" in self.needs


def read_programs(path: Path) -> list[PlainSource]:
    """Every program of a file, in order; raises SandboxError if it cannot be read or holds none."""
    try:
        text = read_text(path, _MAX_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"cannot read {path}: {error}") from error
    try:
        return programs_in(text)
    except SandboxError as error:
        raise SandboxError(f"{path}: {error}") from error


def programs_in(text: str) -> list[PlainSource]:
    """Every program of a file's text; raises SandboxError if it is no Python or holds none."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    module = _tree(text)
    named = [name for statement in module.body for name in _named(statement)]
    functions = [
        one
        for one in module.body
        if isinstance(one, ast.FunctionDef) and _is_called_so(one) and _gives_pairs(one, one.name in named)
    ]
    if not functions:
        raise SandboxError(
            "it holds no program: no function of a sentence and a tokenizer at the top level; one of the "
            "language, attend(q, k), is scored by `score --program`"
        )
    file = _File(text, module)
    last = {function.name: function for function in functions}  # of two of a name, the one that counts
    return [file.program(function) for function in functions if last[function.name] is function]


def read_plain(source: str) -> PlainSource:
    """A program from its stored text; raises SandboxError if it is none, or may not be kept."""
    first, _, rest = source.partition("\n")
    name = first.removeprefix(PLAIN_MARK).strip()
    if refused := _why_refused(source):
        raise SandboxError(refused)
    module = _tree(rest)
    functions = [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == name]
    if not is_plain(source) or not functions:
        raise SandboxError(f"there is no function `{name}` in this plain Python")
    return _described(name, source, functions[-1], module.body)


def _why_refused(source: str) -> str:
    """Why a program's text is not taken in: its length, or a character in it that nobody sees."""
    if len(source.encode("utf-8", "surrogatepass")) > _MAX_PROGRAM:
        return f"it is longer than {_MAX_PROGRAM // 1024} KB with its helpers"
    for number, line in enumerate(source.split("\n"), start=1):
        for character in line:
            if not (character.isprintable() or character == "\t"):
                shown = f"U+{ord(character):04X}"
                return f"line {number} holds {shown}, which cannot be seen; write it as an escape"
    return ""


class _File:
    """A file's statements by the names that they bind."""

    def __init__(self, text: str, module: ast.Module) -> None:
        self._lines = text.split("\n")
        self._body = module.body
        self._binding: dict[str, list[int]] = {}
        self._always = []
        for at, statement in enumerate(self._body):
            for name in _bound(statement):
                self._binding.setdefault(name, []).append(at)
            if isinstance(statement, ast.ImportFrom) and _is_for_all(statement):
                self._always.append(at)

    def program(self, function: ast.FunctionDef) -> PlainSource:
        """A program with what it names, and what that names in turn."""
        chosen = set(self._always)
        left = [at for at, statement in enumerate(self._body) if statement is function]
        while left:
            at = left.pop()
            if at not in chosen:
                chosen.add(at)
                left += (other for name in _named(self._body[at]) for other in self._binding.get(name, ()))
        statements = [self._body[at] for at in sorted(chosen)]
        source = f"{PLAIN_MARK}{function.name}\n{self._text(statements)}\n"
        found = _described(function.name, source, function, statements)
        try:
            return read_plain(source)
        except SandboxError as error:
            return replace(found, refused=str(error))

    def _text(self, statements: Sequence[ast.stmt]) -> str:
        parts, taken = list[str](), 0
        for statement in statements:
            first, last = _first_line(statement), statement.end_lineno or statement.lineno
            if last > taken:  # statements may share a line
                is_block = isinstance(statement, ast.FunctionDef | ast.ClassDef)
                parts.append(
                    ("\n" if parts and is_block else "")
                    + "\n".join(self._lines[max(first - 1, taken) : last])
                )
                taken = last
        return "\n".join(parts)


def _described(
    name: str, source: str, function: ast.FunctionDef, statements: Iterable[ast.stmt]
) -> PlainSource:
    nodes = [node for statement in statements for node in ast.walk(statement)]
    docstring = (ast.get_docstring(function) or "").strip()
    return PlainSource(name, source, docstring, len(nodes), tuple(sorted(set(_libraries(nodes)))))


def _is_called_so(function: ast.FunctionDef) -> bool:
    """Whether it is called with a sentence and a tokenizer."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    needed = len(arguments) - len(function.args.defaults)
    if len(arguments) < 2 or needed > 2 or any(one is None for one in function.args.kw_defaults):
        return False
    annotation = arguments[1].annotation
    said = "" if annotation is None else ast.unparse(annotation)
    return "tokenizer" in arguments[1].arg.lower() or "Tokenizer" in said


def _gives_pairs(function: ast.FunctionDef, is_used: bool) -> bool:
    """Whether it may return (name, matrix): a pair, or, unless others use it, what cannot be told."""
    own = [node for node in _own(function) if isinstance(node, ast.Return)]
    returned = [one.value for one in own]
    if any(isinstance(one, ast.Tuple) and len(one.elts) == 2 for one in returned):
        return True
    return not is_used and any(isinstance(one, ast.Name | ast.Call) for one in returned)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What is in a function, but not in a function within."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _own(child)


def _is_for_all(statement: ast.ImportFrom) -> bool:
    """Whether an import changes what everything means, or brings names that it does not name."""
    return statement.module == "__future__" or statement.names[0].name == "*"


def _libraries(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield "." if node.level else (node.module or "").partition(".")[0]


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def _named(statement: ast.stmt) -> set[str]:
    """The names that a statement reads, wherever within."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _first_line(statement: ast.stmt) -> int:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return min([statement.lineno, *(one.lineno for one in statement.decorator_list)])
    return statement.lineno


def _tree(text: str) -> ast.Module:
    try:
        return syntax_tree(text)
    except SyntaxError as error:
        raise SandboxError(f"line {error.lineno}: Python cannot read this: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SandboxError(f"Python cannot read this: {error}") from error

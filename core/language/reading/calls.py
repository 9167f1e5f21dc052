"""Reading calls of the language's functions."""

from __future__ import annotations

import ast

from core.features import ATTRIBUTES
from core.language.functions import FUNCTIONS, Function
from core.language.nodes import Call, Expression
from core.language.reading.forms import read_form
from core.language.reading.reader import NUMERIC, Reader
from core.language.vocabulary import FORMS, FUNCTION_HINTS, KIND_NAMES, nearest

Keyword = tuple[str, Expression]


def read_call(reader: Reader, node: ast.Call, depth: int) -> Expression | None:
    """A call; None after reporting a problem."""
    name = _function_name(reader, node)
    if name is None:
        return None
    if name in FORMS:
        return read_form(reader, node, name, depth)
    function = FUNCTIONS[name]
    if function.reads_tokens:
        reader.features.add(name)
    arguments = _read_arguments(reader, node, function, depth)
    keywords = _read_keywords(reader, node, function, depth)
    if arguments is None or keywords is None:
        return None
    return Call(*reader.problems.start(node), name, arguments, keywords, function.result)


def unknown_function(name: str) -> str:
    """What to say about a function that does not exist."""
    if hint := FUNCTION_HINTS.get(name):
        return f"`{name}` is not a function of the language; {hint}"
    if near := nearest(name, (*FUNCTIONS, *FORMS)):
        return f"`{name}` is not a function of the language; did you mean `{near}`?"
    return f"`{name}` is not a function of the language; there are {', '.join((*FUNCTIONS, *FORMS))}"


def _function_name(reader: Reader, node: ast.Call) -> str | None:
    match node.func:
        case ast.Name(id=name):
            if name in (*FUNCTIONS, *FORMS):
                return name
            reader.problem(node, unknown_function(name))
            return None
        case ast.Attribute(value=owner, attr=method):
            instead = "write a function of the language instead"
            if method in (*FUNCTIONS, *FORMS):
                instead = f"write `{method}({reader.problems.quote(owner).strip('`')}, ...)`"
            reader.problem(node, f"found a call of the method `.{method}`; methods do not exist, {instead}")
            return None
    found = f"found a call of {reader.problems.quote(node.func)}"
    reader.problem(node, f"{found}; only functions can be called, by their names")
    return None


def _read_arguments(
    reader: Reader, node: ast.Call, function: Function, depth: int
) -> tuple[Expression, ...] | None:
    wanted = len(function.parameters)
    if len(node.args) < wanted or (len(node.args) > wanted and not function.variadic):
        more = " or more" if function.variadic else ""
        plural = "" if wanted == 1 and not more else "s"
        message = f"`{function.name}` takes {wanted}{more} argument{plural}, found {len(node.args)}"
        reader.problem(node, f"{message}; write `{function.example}`")
        return None
    arguments = []
    for at, written in enumerate(node.args):
        value = reader.read(written, depth + 1)
        kind = function.parameters[min(at, wanted - 1)]
        if value is None:
            continue
        if value.kind == kind or (kind == "number" and value.kind in NUMERIC):
            arguments.append(value)
        else:
            found = f"{reader.problems.quote(written)} is {KIND_NAMES[value.kind]}"
            needs = f"`{function.name}` needs {KIND_NAMES[kind]} there"
            reader.problem(written, f"{found}, but {needs}; write `{function.example}`")
    return tuple(arguments) if len(arguments) == len(node.args) else None


def _read_keywords(
    reader: Reader, node: ast.Call, function: Function, depth: int
) -> tuple[Keyword, ...] | None:
    if function.searches != bool(node.keywords):
        found = "needs at least one equality" if function.searches else "takes no keywords"
        reader.problem(node, f"`{function.name}` {found}; write `{function.example}`")
        return None
    pairs = [_read_keyword(reader, keyword, function, depth) for keyword in node.keywords]
    known = [pair for pair in pairs if pair is not None]
    names = [pair[0] for pair in known]
    if len(set(names)) < len(names):
        reader.problem(node, f"`{function.name}` names an attribute twice; name it once")
        return None
    return tuple(known) if len(known) == len(pairs) else None


def _read_keyword(reader: Reader, keyword: ast.keyword, function: Function, depth: int) -> Keyword | None:
    if keyword.arg is None:
        reader.problem(keyword, f"found `**`; write each equality out, as in `{function.example}`")
        return None
    reader.tally(keyword)
    value = reader.read(keyword.value, depth + 1)
    attribute = ATTRIBUTES.get(keyword.arg)
    if attribute is None:
        near = nearest(keyword.arg, ATTRIBUTES)
        instead = f"did you mean `{near}`?" if near else f"there are {', '.join(ATTRIBUTES)}"
        reader.problem(keyword, f"`{keyword.arg}` is not a token attribute; {instead}")
        return None
    reader.features.add(keyword.arg)
    if value is None:
        return None
    if value.kind != attribute.kind and not (attribute.kind == "number" and value.kind in NUMERIC):
        found = f"`{keyword.arg}` is {KIND_NAMES[attribute.kind]}, but the value is {KIND_NAMES[value.kind]}"
        reader.problem(keyword, f"{found}; give a value of the same kind")
        return None
    return keyword.arg, value

"""What to say about Python that is not in the language: what was found, and what to write instead."""

from __future__ import annotations

import ast
from collections.abc import Mapping

_NO_LOOPS = 'there are no loops; use `count(q, pos="NOUN")` or `last(q, pos="NOUN")`'
_NO_COLLECTIONS = 'lists, tuples and sets stand only after `in`: `k.pos in {"NOUN", "VERB"}`'

EXPRESSIONS: Mapping[type[ast.AST], str] = {
    ast.Lambda: "found a lambda; write the expression itself",
    ast.ListComp: f"found a comprehension; {_NO_LOOPS}",
    ast.SetComp: f"found a comprehension; {_NO_LOOPS}",
    ast.DictComp: f"found a comprehension; {_NO_LOOPS}",
    ast.GeneratorExp: f"found a generator; {_NO_LOOPS}",
    ast.Await: "found `await`; remove it",
    ast.Yield: "found `yield`; write `return`",
    ast.YieldFrom: "found `yield from`; write `return`",
    ast.NamedExpr: "found `:=`; assign the name on a line of its own",
    ast.JoinedStr: "found an f-string; write plain text in quotes",
    ast.FormattedValue: "found an f-string; write plain text in quotes",
    ast.Subscript: "found `[...]`; there is no indexing or slicing, use attributes such as `q.prev`",
    ast.Slice: "found a slice; use attributes such as `q.prev`",
    ast.Starred: "found `*`; write each argument out",
    ast.Dict: "found a dictionary; write `table(q.tag, {...}, 1)`, or use `if` and `elif`",
    ast.List: f"found a list; {_NO_COLLECTIONS}",
    ast.Set: f"found a set; {_NO_COLLECTIONS}",
    ast.Tuple: f"found a tuple; {_NO_COLLECTIONS}",
}

_ONE_FUNCTION = "a program holds only `def attend(q, k):`; remove it"
_NO_EXCEPTIONS = "nothing raises here; test with `if` before you divide"
STATEMENTS: Mapping[type[ast.AST], str] = {
    ast.FunctionDef: f"found a function inside or beside `attend`; {_ONE_FUNCTION}",
    ast.AsyncFunctionDef: f"found an async function; {_ONE_FUNCTION}",
    ast.ClassDef: f"found a class; {_ONE_FUNCTION}",
    ast.Import: "found an import; the functions of the language need none, so remove it",
    ast.ImportFrom: "found an import; the functions of the language need none, so remove it",
    ast.For: f"found a `for` loop; {_NO_LOOPS}",
    ast.AsyncFor: f"found an `async for` loop; {_NO_LOOPS}",
    ast.While: f"found a `while` loop; {_NO_LOOPS}",
    ast.Break: f"found `break`; {_NO_LOOPS}",
    ast.Continue: f"found `continue`; {_NO_LOOPS}",
    ast.With: "found `with`; remove it",
    ast.AsyncWith: "found `async with`; remove it",
    ast.Try: f"found `try`; {_NO_EXCEPTIONS}",
    ast.Raise: f"found `raise`; {_NO_EXCEPTIONS}",
    ast.Assert: f"found `assert`; {_NO_EXCEPTIONS}",
    ast.Match: "found `match`; use `if` and `elif`",
    ast.Global: "found `global`; locals need no declaration, so remove it",
    ast.Nonlocal: "found `nonlocal`; locals need no declaration, so remove it",
    ast.Delete: "found `del`; remove it",
    ast.AnnAssign: "found an annotated assignment; write `name = value`",
}

OPERATORS: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "found `&`; write `and`",
    ast.BitOr: "found `|`; write `or`",
    ast.BitXor: "found `^`; write `!=` between conditions, `**` for powers",
    ast.LShift: "found `<<`; multiply with `*`",
    ast.RShift: "found `>>`; divide with `//`",
    ast.MatMult: "found `@`; multiply with `*`",
    ast.Invert: "found `~`; write `not`",
    ast.Is: "found `is`; write `==`",
    ast.IsNot: "found `is not`; write `!=`",
}


def refuse_expression(node: ast.expr) -> str:
    """Why this expression is not in the language."""
    named = EXPRESSIONS.get(type(node))
    return (
        named or f"found {type(node).__name__}, which is not in the language; use arithmetic and comparisons"
    )


def refuse_statement(node: ast.stmt) -> str:
    """Why this statement is not in the language."""
    named = STATEMENTS.get(type(node))
    found = f"found {type(node).__name__}, which is not in the language"
    return named or f"{found}; use assignments, `if` and `return`"

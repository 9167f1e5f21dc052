"""Canonical source of a node tree: one spelling for programs that differ only in layout.

Comments, docstring, redundant brackets, the spelling of numbers and quotes, and `x += y` against
`x = x + y` make no difference; the program's id is a hash of this text.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.language import nodes as n
from core.language.vocabulary import PARAMETERS, PROGRAM_NAME

_INDENT = "    "


def render(body: n.Block) -> str:
    """The whole function, without docstring or comments."""
    lines = _block(body, _INDENT)
    return "\n".join([f"def {PROGRAM_NAME}({', '.join(PARAMETERS)}):", *lines]) + "\n"


def _block(block: n.Block, indent: str) -> Iterator[str]:
    if not block:
        yield f"{indent}pass"
    for statement in block:
        match statement:
            case n.Assign():
                yield f"{indent}{statement.name} = {render_expression(statement.value)}"
            case n.Return():
                yield f"{indent}return {render_expression(statement.value)}"
            case n.If():
                yield from _if(statement, indent)


def _if(statement: n.If, indent: str) -> Iterator[str]:
    word = "if"
    for test, block in statement.branches:
        yield f"{indent}{word} {render_expression(test)}:"
        yield from _block(block, indent + _INDENT)
        word = "elif"
    if statement.otherwise:
        yield f"{indent}else:"
        yield from _block(statement.otherwise, indent + _INDENT)


def render_expression(node: n.Expression) -> str:
    """An expression, with brackets around every part that is not a name, literal, attribute or call."""
    match node:
        case n.Number() | n.Text() | n.Truth():
            return _constant(node.value)
        case n.Parameter() | n.Local():
            return node.name
        case n.Attribute():
            return f"{_part(node.token)}.{node.name}"
        case n.Sign():
            return f"{node.operator}{_part(node.operand)}"
        case n.Arithmetic():
            return _chain(node)
        case n.Comparison():
            rest = zip(node.operators, node.operands[1:], strict=True)
            return " ".join([_part(node.operands[0]), *(f"{o} {_part(operand)}" for o, operand in rest)])
        case n.Membership():
            choices = ", ".join(sorted({_constant(choice) for choice in node.choices}))
            return f"{_part(node.item)} {'not in' if node.negated else 'in'} {{{choices}}}"
        case n.Missing():
            return f"{_part(node.token)} {'!=' if node.negated else '=='} None"
        case n.Not():
            return f"not {_part(node.operand)}"
        case n.Logic():
            return f" {node.operator} ".join(_part(operand) for operand in node.operands)
        case n.Conditional():
            return f"{_part(node.then)} if {_part(node.test)} else {_part(node.otherwise)}"
        case n.Call():
            values = [render_expression(argument) for argument in node.arguments]
            values += [f"{name}={render_expression(value)}" for name, value in node.keywords]
            return f"{node.function}({', '.join(values)})"
        case n.Table():
            return _table(node)
        case n.Look():
            return f'look("{node.head}", {render_expression(node.query)}, {render_expression(node.key)})'


def _table(node: n.Table) -> str:
    pairs = zip(node.choices, node.numbers, strict=True)
    entries = ", ".join(f"{_constant(choice)}: {render_expression(number)}" for choice, number in pairs)
    return f"table({render_expression(node.subject)}, {{{entries}}}, {render_expression(node.otherwise)})"


def _chain(node: n.Arithmetic) -> str:
    """Brackets where an operator would otherwise bind tighter than what comes before it."""
    text, loosest = _part(node.first), 3
    for step in node.steps:
        strength = 1 if step.operator in "+-" else 3 if step.operator == "**" else 2
        if strength > loosest or (strength == 3 and step is not node.steps[0]):
            text, loosest = f"({text})", 3
        text = f"{text} {step.operator} {_part(step.operand)}"
        loosest = min(loosest, strength)
    return text


def _part(node: n.Expression) -> str:
    simple = n.Number | n.Text | n.Truth | n.Parameter | n.Local | n.Attribute | n.Call | n.Table | n.Look
    text = render_expression(node)
    return text if isinstance(node, simple) else f"({text})"


def _constant(value: n.Constant | bool) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)

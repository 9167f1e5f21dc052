"""Reading expressions: `ast` in, typed nodes out, default-deny."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Literal

from core.features import ATTRIBUTES, Kind
from core.language.functions import FUNCTIONS
from core.language.nodes import (
    Arithmetic,
    ArithmeticOperator,
    Attribute,
    Conditional,
    Expression,
    Local,
    Logic,
    Not,
    Number,
    Parameter,
    Sign,
    Step,
    Text,
    Truth,
)
from core.language.reading.calls import read_call
from core.language.reading.comparisons import read_comparison
from core.language.reading.folding import running
from core.language.reading.reader import NUMERIC, Reader
from core.language.reading.refusals import OPERATORS, refuse_expression
from core.language.vocabulary import (
    ATTRIBUTE_HINTS,
    FORMS,
    KIND_NAMES,
    MAX_NESTING,
    MAX_NUMBER,
    PARAMETERS,
    nearest,
)

ARITHMETIC: Mapping[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}


class ExpressionReader(Reader):
    """Reads one program's expressions."""

    def read(self, node: ast.expr, depth: int) -> Expression | None:
        """The node for any expression, `depth` levels deep; None after reporting a problem."""
        self.tally(node)
        if depth > MAX_NESTING:
            message = f"nested deeper than {MAX_NESTING}; name the parts and combine the names"
            self.problem(node, message)
            return None
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node, depth)
            case ast.BinOp():
                return self._arithmetic(node, depth)
            case ast.UnaryOp():
                return self._unary(node, depth)
            case ast.BoolOp():
                return self._logic(node, depth)
            case ast.Compare():
                return read_comparison(self, node, depth)
            case ast.IfExp():
                return self._conditional(node, depth)
            case ast.Call():
                return read_call(self, node, depth)
        self.problem(node, refuse_expression(node))
        return None

    def _literal(self, node: ast.Constant) -> Expression | None:
        line, column = self.problems.start(node)
        match node.value:
            case bool():
                return Truth(line, column, node.value)
            case int() | float():
                if not node.value <= MAX_NUMBER:
                    self.problem(node, f"{self.problems.quote(node)} is too large; numbers go up to 1e6")
                    return None
                return Number(line, column, self.problems.end_column(node), float(node.value))
            case str():
                if any("\ud800" <= character <= "\udfff" for character in node.value):
                    self.problem(node, "found a lone surrogate in text; write the character itself")
                    return None
                return Text(line, column, node.value)
            case None:
                self.problem(node, "`None` stands only beside `==` or `!=`, as in `q.prev == None`")
                return None
        found = f"found {self.problems.quote(node)}"
        self.problem(node, f"{found}; literals are numbers, text in quotes, True and False")
        return None

    def _name(self, node: ast.Name) -> Expression | None:
        line, column = self.problems.start(node)
        name = node.id
        if name in PARAMETERS:
            return Parameter(line, column, "q" if name == "q" else "k")
        known = self.scope.kinds.get(name)
        if name in self.scope.tainted:
            return None
        if known is not None and self.scope.is_assigned(name):
            return Local(line, column, name, known[0])
        if known is not None:
            message = (
                f"`{name}` may have no value here; assign it on every path before, such as `{name} = 0.0`"
            )
        elif name in FUNCTIONS or name in FORMS:
            example = (FUNCTIONS.get(name) or FORMS[name]).example
            message = f"`{name}` is a function; call it, as in `{example}`"
        elif name in ATTRIBUTES:
            message = f"`{name}` is an attribute of a token; write `q.{name}` or `k.{name}`"
        else:
            near = nearest(name, [*PARAMETERS, *self.scope.kinds, *FUNCTIONS, *FORMS])
            instead = f"did you mean `{near}`?" if near else f"assign it first, such as `{name} = 0.0`"
            message = f"`{name}` is not defined; {instead}"
        self.problem(node, message)
        return None

    def _attribute(self, node: ast.Attribute, depth: int) -> Expression | None:
        owner = self.read(node.value, depth + 1)
        if owner is None:
            return None
        quoted = self.problems.quote(node.value).strip("`")
        if owner.kind != "token":
            found = f"`{quoted}` is {KIND_NAMES[owner.kind]} and has no attributes such as `.{node.attr}`"
            self.problem(node, f"{found}; attributes belong to tokens, as in `k.text`")
            return None
        if node.attr not in ATTRIBUTES:
            near = ATTRIBUTE_HINTS.get(node.attr) or nearest(node.attr, ATTRIBUTES)
            instead = f"did you mean `{quoted}.{near}`?" if near else f"there are {', '.join(ATTRIBUTES)}"
            self.problem(node, f"`{quoted}.{node.attr}` is not a token attribute; {instead}")
            return None
        self.features.add(node.attr)
        return Attribute(*self.problems.start(node), owner, node.attr)

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Expression | None:
        """A chain such as a + b * c - d: `ast` nests it to the left, here it is one flat node."""
        chain: list[ast.BinOp] = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
            self.tally(chain[-1])
        innermost = ARITHMETIC.get(type(chain[-1].op))
        first = self.number(chain[-1].left, depth + 1, f"`{innermost}`" if innermost else "arithmetic")
        steps = [self._step(operation, depth) for operation in reversed(chain)]
        known = [step for step in steps if step is not None]
        if first is None or len(known) < len(steps):
            return None
        value = Arithmetic(*self.problems.start(node), first, tuple(known))
        if any(folded is not None and abs(folded) > MAX_NUMBER for folded in running(value)):
            self.problem(node, f"{self.problems.quote(node)} is too large; numbers go up to 1e6")
            return None
        return value

    def _step(self, node: ast.BinOp, depth: int) -> Step | None:
        symbol = ARITHMETIC.get(type(node.op))
        if symbol is None:
            self.problem(node.right, OPERATORS[type(node.op)])
            return None
        operand = self.number(node.right, depth + 1, f"`{symbol}`")
        return None if operand is None else Step(*self.problems.start(node.right), symbol, operand)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Expression | None:
        line, column = self.problems.start(node)
        match node.op:
            case ast.Not():
                operand = self.condition(node.operand, depth + 1, "`not`")
                return None if operand is None else Not(line, column, operand)
            case ast.USub() | ast.UAdd():
                sign: Literal["-", "+"] = "-" if isinstance(node.op, ast.USub) else "+"
                operand = self.number(node.operand, depth + 1, f"`{sign}`")
                return None if operand is None else Sign(line, column, sign, operand)
        self.problem(node, OPERATORS[type(node.op)])
        return None

    def _logic(self, node: ast.BoolOp, depth: int) -> Expression | None:
        operator: Literal["and", "or"] = "and" if isinstance(node.op, ast.And) else "or"
        operands = [self.condition(operand, depth + 1, f"`{operator}`") for operand in node.values]
        known = [operand for operand in operands if operand is not None]
        if len(known) < len(operands):
            return None
        return Logic(*self.problems.start(node), operator, tuple(known))

    def _conditional(self, node: ast.IfExp, depth: int) -> Expression | None:
        test = self.condition(node.test, depth + 1, "`if`")
        then = self.read(node.body, depth + 1)
        otherwise = self.read(node.orelse, depth + 1)
        if test is None or then is None or otherwise is None:
            return None
        kind: Kind = then.kind
        if then.kind != otherwise.kind:
            if then.kind not in NUMERIC or otherwise.kind not in NUMERIC:
                found = f"{KIND_NAMES[then.kind]} before `if`, {KIND_NAMES[otherwise.kind]} after `else`"
                self.problem(node, f"{found}; give both sides one kind")
                return None
            kind = "number"
        return Conditional(*self.problems.start(node), test, then, otherwise, kind)

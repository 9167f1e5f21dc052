"""Reading statements: kinds of locals, definite assignment, and a return on every path."""

from __future__ import annotations

import ast

from core.features import Kind
from core.language.functions import FUNCTIONS
from core.language.nodes import Arithmetic, Assign, Block, Expression, If, Local, Return, Statement, Step
from core.language.reading.expressions import ARITHMETIC, ExpressionReader
from core.language.reading.problems import Problems
from core.language.reading.reader import NUMERIC
from core.language.reading.refusals import OPERATORS, refuse_statement
from core.language.reading.scope import Scope
from core.language.vocabulary import FORMS, KIND_NAMES, MAX_NESTING, PARAMETERS, PROGRAM_NAME

_AUGMENTED = ("+", "-", "*", "/")


class StatementReader:
    """Reads the body of one program."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.scope = Scope()
        self.expressions = ExpressionReader(problems, self.scope)

    def body(self, function: ast.FunctionDef, statements: list[ast.stmt]) -> Block:
        """All statements, which must return on every path."""
        block = self._block(statements, 1)
        if self.scope.assigned is not None:
            last = statements[-1] if statements else function
            message = "not every path returns a weight; add `return 0.0` at the end of `attend`"
            self.problems.add(last.end_lineno or last.lineno, self.problems.start(last)[1], message)
        return block

    def _block(self, statements: list[ast.stmt], depth: int) -> Block:
        read = [self._statement(statement, depth) for statement in statements]
        return tuple(statement for statement in read if statement is not None)

    def _statement(self, node: ast.stmt, depth: int) -> Statement | None:
        self.expressions.tally(node)
        if depth > MAX_NESTING:
            self.problems.at(node, f"nested deeper than {MAX_NESTING}; join conditions with `and`")
            return None
        match node:
            case ast.Pass():
                return None
            case ast.Return():
                return self._return(node, depth)
            case ast.Assign():
                return self._assign(node, depth)
            case ast.AugAssign():
                return self._augment(node, depth)
            case ast.If():
                return self._if(node, depth)
            case ast.Expr(value=ast.Constant()):
                self.problems.at(
                    node, "a value on its own does nothing; remove it, or begin a comment with #"
                )
            case ast.Expr():
                self._lone_expression(node)
            case _:
                self.problems.at(node, refuse_statement(node))
        return None

    def _lone_expression(self, node: ast.Expr) -> None:
        found = self.problems.quote(node.value)
        before = self.problems.is_clean_at(node)
        self.expressions.read(node.value, 1)
        if before and self.problems.is_clean_at(node):
            self.problems.at(node, f"{found} on its own does nothing; write `return {found[1:]} or assign it")

    def _return(self, node: ast.Return, depth: int) -> Return | None:
        value = None
        if node.value is None:
            self.problems.at(node, "`return` without a weight; write `return 0.0`")
        else:
            value = self.expressions.number(node.value, depth + 1, "`return`")
        self.scope.assigned = None
        return None if value is None else Return(*self.problems.start(node), value)

    def _assign(self, node: ast.Assign, depth: int) -> Assign | None:
        value = self.expressions.read(node.value, depth + 1)
        name = self._target(node.targets)
        if name is None:
            return None
        if value is None:
            self.scope.taint(name)
            return None
        if problem := self._clash(name, value.kind):
            self.problems.at(node, problem)
            self.scope.taint(name)
            return None
        kind = self.scope.assign(name, value.kind, node.lineno)
        return Assign(*self.problems.start(node), name, value, kind)

    def _augment(self, node: ast.AugAssign, depth: int) -> Assign | None:
        symbol = ARITHMETIC.get(type(node.op))
        if symbol not in _AUGMENTED:
            instead = OPERATORS.get(type(node.op), f"found `{symbol}=`; write `x = x {symbol} y`")
            self.problems.at(node, instead)
            return None
        operand = self.expressions.number(node.value, depth + 1, f"`{symbol}=`")
        name = self._target([node.target])
        if name is None:
            return None
        current = self.expressions.read(ast.copy_location(ast.Name(name, ast.Load()), node.target), depth + 1)
        if current is not None and current.kind != "number":
            kind = KIND_NAMES[current.kind]
            self.problems.at(
                node, f"`{name}` is {kind}, but `{symbol}=` needs a number; begin with `{name} = 0.0`"
            )
            return None
        if operand is None or not isinstance(current, Local):
            return None
        step = Step(*self.problems.start(node.value), symbol, operand)
        position = self.problems.start(node)
        return Assign(*position, name, Arithmetic(*position, current, (step,)), "number")

    def _target(self, targets: list[ast.expr]) -> str | None:
        """The one local name assigned to."""
        target = targets[0]
        if len(targets) > 1 or not isinstance(target, ast.Name):
            found = "several names at once" if len(targets) > 1 else self.problems.quote(target)
            self.problems.at(target, f"found an assignment to {found}; assign one local name per line")
            return None
        name = target.id
        problem = None
        if name in PARAMETERS:
            problem = f"`{name}` is a token of the pair and cannot be assigned; choose another name"
        elif name in FUNCTIONS or name in FORMS or name == PROGRAM_NAME:
            problem = f"`{name}` is a function and cannot be assigned; choose another name"
        elif name.startswith("__"):
            problem = f"`{name}` begins with two underscores; choose another name"
        if problem is None:
            return name
        self.problems.at(target, problem)
        return None

    def _clash(self, name: str, kind: Kind) -> str | None:
        """Why a value of this kind cannot go to the local; booleans go to numbers as 1 and 0."""
        kept, line = self.scope.kinds.get(name, (kind, 0))
        if kept == kind or (kept == "number" and kind in NUMERIC):
            return None
        instead = "use another name"
        if kept == "boolean" and kind == "number":
            instead = f"begin with a number, such as `{name} = 0.0`"
        return f"`{name}` is {KIND_NAMES[kept]} since line {line}, found {KIND_NAMES[kind]}; {instead}"

    def _if(self, node: ast.If, depth: int) -> If | None:
        """`if` with its whole chain of `elif`, which `ast` nests and we keep flat."""
        branches: list[tuple[Expression | None, Block]] = []
        ends = []
        rest: list[ast.stmt] = [node]
        while len(rest) == 1 and isinstance(branch := rest[0], ast.If):
            if branch is not node:
                self.expressions.tally(branch)
            test = self.expressions.condition(branch.test, depth + 1, "`if`")
            before = self.scope.assigned
            branches.append((test, self._block(branch.body, depth + 1)))
            ends.append(self.scope.assigned)
            self.scope.assigned = before
            rest = branch.orelse
        otherwise = self._block(rest, depth + 1)
        self.scope.join([*ends, self.scope.assigned])
        known = tuple((test, block) for test, block in branches if test is not None)
        return If(*self.problems.start(node), known, otherwise) if len(known) == len(branches) else None

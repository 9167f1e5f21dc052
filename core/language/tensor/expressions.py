"""Expressions as tensors: a batch's value for every pair at once, as thin as what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import reduce
from operator import or_

import torch
from torch import Tensor

from core.language import failures
from core.language import nodes as n
from core.language.factors import number_of
from core.language.functions import FUNCTIONS, TensorCall
from core.language.functions.lookups import needs_loop
from core.language.precision import single
from core.language.tensor.recorder import Recorder
from core.language.tensor.work import Meter
from core.language.values.arithmetic import arithmetic
from core.language.values.batch import Batch
from core.language.values.tensors import Bounds, Value, choose, measured

Locals = dict[str, Value]
Position = tuple[int, int]  # line and column of a literal

_COMPARE: Mapping[n.ComparisonOperator, Callable[[Tensor, Tensor], Tensor]] = {
    "==": torch.eq,
    "!=": torch.ne,
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
}


class TensorExpressions:
    """Evaluates the expressions of one program; both sides of every condition, for all pairs."""

    def __init__(
        self,
        batch: Batch,
        recorder: Recorder,
        meter: Meter,
        max_elements: int,
        constants: Mapping[Position, Tensor],
    ) -> None:
        self.batch = batch
        self.recorder = recorder
        self.meter = meter
        self.max_elements = max_elements
        self.constants = constants
        self.locals: Locals = {}

    def number(self, node: n.Expression) -> Value:
        """A number, or a boolean as 1 or 0."""
        return self.value(node).numeric()

    def value(self, node: n.Expression) -> Value:
        """The value of any expression; raises OverBudget."""
        value = self._value(node)
        if 1 not in value.tensor.shape[-2:]:
            self.meter.spend()
        return value

    def _value(self, node: n.Expression) -> Value:
        match node:
            case n.Number():
                return self._literal(node)
            case n.Text():
                return Value(self.batch.constant(self.batch.texts.id(node.value)))
            case n.Truth():
                return Value(self.batch.constant(node.value))
            case n.Parameter():
                return self.batch.parameters[node.name]
            case n.Local():
                return self.locals[node.name]
            case n.Attribute() | n.Call():
                return self._shared(node)
            case n.Sign():
                value = self.number(node.operand)
                return Value(-value.tensor, -value.bounds) if node.operator == "-" else value
            case n.Arithmetic():
                value = self.number(node.first)
                for step in node.steps:
                    operand = self.number(step.operand)
                    value = arithmetic(step.operator, value, operand, step.line, self.recorder.fail)
                return value
            case n.Comparison():
                return self._comparison(node)
            case n.Membership():
                return self._membership(node)
            case n.Missing():
                return Value((self.value(node.token).tensor < 0) != node.negated)
            case n.Not():
                return Value(~self.value(node.operand).tensor)
            case n.Logic():
                return self._logic(node)
            case n.Conditional():
                return self._conditional(node)
            case n.Table():
                return self._table(node)
            case n.Look():
                return self._look(node)

    def _literal(self, node: n.Number) -> Value:
        given = self.constants.get((node.line, node.column))
        if given is None:
            value = single(node.value)
            return Value(self.batch.constant(value), Bounds(value, value))
        return Value(given.view(*given.shape, 1, 1, 1).to(self.batch.device), measured(given))

    def _comparison(self, node: n.Comparison) -> Value:
        path = self.recorder.path
        left, result = self.value(node.operands[0]), None
        for symbol, operand in zip(node.operators, node.operands[1:], strict=True):
            right = self.value(operand)
            holds = _COMPARE[symbol](left.tensor, right.tensor)
            result = holds if result is None else result & holds
            self.recorder.path = (*self.recorder.path, (holds, True))
            left = right
        self.recorder.path = path
        assert result is not None
        return Value(result)

    def _membership(self, node: n.Membership) -> Value:
        item = self.value(node.item)
        tensor = item.tensor if node.item.kind == "text" else item.numeric().tensor
        found = torch.isin(tensor, self._choices(node.choices, tensor))
        return Value(~found if node.negated else found)

    def _choices(self, choices: Sequence[str | float], like: Tensor) -> Tensor:
        """Literals [choice] as what a tensor of their kind holds."""
        return torch.tensor(self._numbered(choices), dtype=like.dtype, device=self.batch.device)

    def _numbered(self, choices: Sequence[str | float]) -> list[float]:
        """Literals, texts by their numbers."""
        texts = self.batch.texts
        return [texts.id(choice) if isinstance(choice, str) else choice for choice in choices]

    def _logic(self, node: n.Logic) -> Value:
        path = self.recorder.path
        goes_on = node.operator == "and"
        result = self.value(node.operands[0]).tensor
        for operand in node.operands[1:]:
            self.recorder.path = (*path, (result, goes_on))
            right = self.value(operand).tensor
            result = result & right if goes_on else result | right
        self.recorder.path = path
        return Value(result)

    def _conditional(self, node: n.Conditional) -> Value:
        path = self.recorder.path
        test = self.value(node.test).tensor
        self.recorder.path = (*path, (test, True))
        then = self.value(node.then)
        self.recorder.path = (*path, (test, False))
        otherwise = self.value(node.otherwise)
        self.recorder.path = path
        if node.kind == "number":
            then, otherwise = then.numeric(), otherwise.numeric()
        return choose(test, then, otherwise)

    def _table(self, node: n.Table) -> Value:
        subject = self.value(node.subject).tensor
        rows = sorted(zip(self._numbered(node.choices), node.numbers, strict=True), key=lambda row: row[0])
        wanted = torch.tensor([choice for choice, _ in rows], dtype=subject.dtype, device=self.batch.device)
        numbers, bounds = self._column([number for _, number in rows])
        otherwise = self.number(node.otherwise)
        at = torch.searchsorted(wanted, subject.contiguous()).clamp(max=len(wanted) - 1)
        found = torch.where(wanted[at] == subject, numbers[..., at], otherwise.tensor)
        return Value(found, bounds | otherwise.bounds)

    def _column(self, literals: Sequence[n.Expression]) -> tuple[Tensor, Bounds]:
        """Literals, perhaps with a sign: float32 [..., literal], and their bounds."""
        known = [] if self.constants else [number_of(literal) for literal in literals]
        values = [single(number) for number in known if number is not None]
        if len(values) == len(literals):
            return torch.tensor(values, device=self.batch.device), Bounds(min(values), max(values))
        numbers = [self.number(literal) for literal in literals]
        widest = max((number.tensor for number in numbers), key=lambda tensor: tensor.dim()).shape
        column = torch.cat([number.tensor.expand(widest) for number in numbers], -1)[..., 0, 0, :]
        return column, reduce(or_, (number.bounds for number in numbers))

    def _look(self, node: n.Look) -> Value:
        found = self.batch.look(node.head, self.value(node.query), self.value(node.key))
        if found is None:
            self.recorder.fail(self.batch.constant(True), failures.unseen(node.line, node.head))
            return Value(self.batch.constant(0.0), Bounds(0.0, 0.0))
        return found

    def _shared(self, node: n.Attribute | n.Call) -> Value:
        """Attributes and calls; those that no local or branch can change are computed once a batch."""
        if isinstance(node, n.Attribute) and isinstance(node.token, n.Parameter):
            return self.batch.own(node.token.name, node.name)
        if not self._is_shared(node):
            return self._attribute_or_call(node)
        return self.once(node, lambda: self._attribute_or_call(node))

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """What is the same in every program, computed once a batch unless it fails anywhere."""
        kept = self.batch.cached(key)
        if kept is not None:
            value, work = kept
            if any(work):
                self.meter.spend(*work)
            return value
        attempts, before = self.recorder.attempts, self.meter.work
        value = compute()
        if self.recorder.attempts == attempts:  # a failure must be reported again by the next program
            pairs, loops = self.meter.work
            self.batch.cache(key, value, (pairs - before[0], loops - before[1]))
        return value

    def _is_shared(self, node: n.Expression) -> bool:
        """Whether an expression is built of q, k, literals, attributes and calls alone."""
        match node:
            case n.Parameter() | n.Text() | n.Truth():
                return True
            case n.Number():
                return not self.constants
            case n.Attribute():
                return self._is_shared(node.token)
            case n.Call():
                values = (value for _, value in node.keywords)
                return all(self._is_shared(part) for part in (*node.arguments, *values))
        return False

    def _attribute_or_call(self, node: n.Attribute | n.Call) -> Value:
        if isinstance(node, n.Attribute):
            return self.batch.attribute(self.value(node.token), node.name)
        call = TensorCall(
            node.function,
            node.line,
            [self.value(argument) for argument in node.arguments],
            [(name, self.value(value)) for name, value in node.keywords],
            self.batch,
            self.recorder.fail,
            self.max_elements,
        )
        if needs_loop(call.wanted):
            self.meter.spend(0, 1)
        return FUNCTIONS[node.function].tensor(call)

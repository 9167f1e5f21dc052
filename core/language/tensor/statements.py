"""One program over one batch: statements in order, branches as masks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from core.language import nodes as n
from core.language.tensor.expressions import Locals, Position, TensorExpressions
from core.language.tensor.recorder import Path, Recorder
from core.language.tensor.work import Meter, OverBudget
from core.language.values.batch import Batch
from core.language.values.tensors import Value, choose
from core.types import Failure


class Interpreter:
    """Evaluates one program on one batch.

    Both branches of every `if` are run for all pairs, with locals of their own that are merged where
    the branches meet. What a pair on another path computes is never looked at.
    """

    def __init__(
        self, batch: Batch, max_elements: int, max_work: int, constants: Mapping[Position, Tensor]
    ) -> None:
        self.batch = batch
        self.recorder = Recorder(batch.pairs)
        self.meter = Meter(batch.shortest, max_work)
        self.expressions = TensorExpressions(batch, self.recorder, self.meter, max_elements, constants)
        self.result: Value | None = None  # of the pairs that have returned

    def run(self, body: n.Block) -> tuple[Value, dict[int, Failure]]:
        """The weights before normalisation, and for each failed row of the batch its Failure."""
        try:
            self._block(body, ())
        except OverBudget as over:
            return Value(self.batch.constant(0.0)), dict.fromkeys(range(self.batch.size), over.failure)
        assert self.result is not None, "parsing made sure that every path returns"
        return self.result, self.recorder.first_failures() | self._over_budget()

    def _over_budget(self) -> dict[int, Failure]:
        """Row of the batch -> the failure of a sentence for which all of it was too much."""
        lengths = self.batch.exists.sum(1).tolist() if self.meter.over(self.batch.length) else []
        found = ((row, self.meter.over(length)) for row, length in enumerate(lengths))
        return {row: failure for row, failure in found if failure is not None}

    def _block(self, block: n.Block, path: Path) -> Path | None:
        """Run statements for the pairs on `path`; the path of those that come out, None if all returned."""
        for statement in block:
            self.recorder.path = path
            match statement:
                case n.Return():
                    self._return(self.expressions.number(statement.value), path)
                    return None
                case n.Assign():
                    value = self.expressions.value(statement.value)
                    self.expressions.locals[statement.name] = (
                        value.numeric() if statement.kind == "number" else value
                    )
                case n.If():
                    after = self._if(statement, path)
                    if after is None:
                        return None
                    path = after
        return path

    def _return(self, value: Value, path: Path) -> None:
        # Pairs that are not on the path have returned before, or will and then overwrite this.
        self.result = value if self.result is None else choose(self.recorder.mask(path), value, self.result)

    def _if(self, statement: n.If, path: Path) -> Path | None:
        before, rest = self.expressions.locals, path
        arms: list[tuple[Tensor, Locals, Path | None]] = []
        all_fall_through = True
        for test, block in statement.branches:
            self.recorder.path, self.expressions.locals = rest, dict(before)
            condition = self.expressions.value(test).tensor
            taken = (*rest, (condition, True))
            end = self._block(block, taken)
            all_fall_through &= end is taken
            arms.append((condition, self.expressions.locals, end))
            rest = (*rest, (condition, False))
        self.expressions.locals = dict(before)
        end = self._block(statement.otherwise, rest)
        all_fall_through &= end is rest
        self._merge(arms, end)
        return path if all_fall_through else self._join([*(arm[2] for arm in arms), end])

    def _merge(self, arms: list[tuple[Tensor, Locals, Path | None]], end: Path | None) -> None:
        """Set the locals, which are those of `else`, to what they are after all branches."""
        for condition, arm, arm_end in reversed(arms):
            if end is None:
                self.expressions.locals, end = arm, arm_end
            elif arm_end is not None:
                self.expressions.locals = {
                    name: choose(condition, value, self.expressions.locals[name])
                    for name, value in arm.items()
                    if name in self.expressions.locals
                }

    def _join(self, ends: list[Path | None]) -> Path | None:
        """The path of the pairs that come out of any branch."""
        open_ends = [end for end in ends if end is not None]
        if len(open_ends) <= 1:
            return open_ends[0] if open_ends else None
        mask = self.recorder.mask(open_ends[0])
        for end in open_ends[1:]:
            mask = mask | self.recorder.mask(end)
        return ((mask, True),)

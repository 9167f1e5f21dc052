"""Programs over whole batches of sentences as tensors; agrees with `reference`, failures included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.features import Features
from core.language import failures
from core.language.nodes import Block
from core.language.plain import PlainProgram
from core.language.reading.program import ParsedProgram
from core.language.tensor.expressions import Position
from core.language.tensor.products import multiplied
from core.language.tensor.statements import Interpreter
from core.language.tensor.work import MAX_WORK
from core.language.values.batch import Batch
from core.language.values.looks import Looks
from core.language.values.tensors import Value
from core.language.values.texts import Texts
from core.maps import like_batches
from core.types import Failure

MAX_ELEMENTS = 2**27  # one operation may touch for one sentence
_BATCH_ELEMENTS = 2**17  # pairs evaluated together: 0.5 MB a tensor, which stays in the cache
_OVERFLOW = 3e38


@dataclass(frozen=True)
class Evaluated:
    """A program's weights on every sentence of some features."""

    weights: Tensor  # float32 [sentence, query, key]; rows sum to 1; zero in padding and failed sentences
    failures: Mapping[int, Failure]  # row of the features -> why that sentence failed


class Evaluator:
    """Runs programs on the same sentences; what programs share is computed once.

    With `causal` a query sees only keys at or before it. `max_elements` bounds what a single operation
    may touch for one sentence, `max_work` what a whole program may; beyond it is a Failure("budget").
    `looks` holds the attention of the heads that programs look at, by sentence; looking at any other is a
    Failure("unavailable").
    """

    def __init__(
        self,
        features: Features,
        causal: bool = True,
        device: str | torch.device = "cpu",
        max_elements: int = MAX_ELEMENTS,
        looks: Looks | None = None,
        max_work: int = MAX_WORK,
    ) -> None:
        self.features = features
        self.max_work = max_work
        self.causal = causal
        self.device = torch.device(device)
        self.max_elements = max_elements
        self.looks = looks
        self.texts = Texts(features.texts, self.device)
        self.length = int(features.lengths.max(initial=0))
        self.too_long = [row for row, n in enumerate(features.lengths) if int(n) ** 2 > max_elements]
        if self.too_long:
            fitting = [int(n) for n in features.lengths if int(n) ** 2 <= max_elements]
            self.length = max(fitting, default=0)
        rows = [row for row, n in enumerate(features.lengths) if 0 < int(n) ** 2 <= max_elements]
        self.batches = [
            Batch(features, batch, self.texts, causal, self.device, looks)
            for batch in like_batches(features.lengths, rows, pairs=_BATCH_ELEMENTS)
        ]

    def run(self, program: ParsedProgram, constants: Mapping[Position, Tensor] | None = None) -> Evaluated:
        """Weights and failures of one program on every sentence.

        `constants` replaces the number literals at these (line, column) by float32 scalars; weights are
        differentiable in them.
        """
        if isinstance(program, PlainProgram):
            return self._plain(program)
        weights: Tensor | None = None
        failed: dict[int, Failure] = {
            row: failures.budget(1, "attend", int(self.features.lengths[row]) ** 2) for row in self.too_long
        }
        for batch in self._prepared():
            part, found = self._weights(program, batch, constants)
            failed |= {batch.rows[at]: failure for at, failure in found.items()}
            if batch.is_whole:
                weights = part
            else:
                weights = self._nothing() if weights is None else weights
                weights[batch.rows, : batch.length, : batch.length] = part
        return Evaluated(self._nothing() if weights is None else weights, dict(sorted(failed.items())))

    def _nothing(self) -> Tensor:
        """float32 [sentence, query, key] of 0."""
        return torch.zeros(len(self.features), self.length, self.length, device=self.device)

    def _weights(
        self, program: ParsedProgram, batch: Batch, constants: Mapping[Position, Tensor] | None
    ) -> tuple[Tensor, dict[int, Failure]]:
        """Weights [batch, query, key], 0 in rows that failed, and the Failure of each of these."""
        if constants is None and program.factors is not None:
            product = multiplied(program.factors, batch, self.max_elements, self.max_work)
            if product is not None:
                return product, {}
        value, failed = self._interpreted(program.body, batch, constants)
        weights = normalised(value, batch)
        if failed:
            weights[list(failed)] = 0
        return weights, failed

    def _plain(self, program: PlainProgram) -> Evaluated:
        """What plain Python gives."""
        weights = self._nothing()
        failed = {
            row: failures.budget(1, "the passage", int(self.features.lengths[row]) ** 2)
            for row in self.too_long
        }
        rows = [row for row in range(len(self.features)) if row not in failed]
        produced = program.produce(self.features.select(rows), self.causal)
        for row, found in zip(rows, produced, strict=True):
            if isinstance(found, Failure):
                failed[row] = found
            else:
                weights[row, : len(found), : len(found)] = torch.from_numpy(found)
        return Evaluated(weights, dict(sorted(failed.items())))

    def values(
        self, body: Block, constants: Mapping[Position, Tensor] | None = None
    ) -> Iterator[tuple[Batch, Value, dict[int, Failure]]]:
        """Per batch: what a body gives before normalisation, and the Failure of each failed row of it.

        Constants may be float32 [P] for P variants of the program at once: values that depend on them are
        then [P, batch, query, key], and a row has failed if it failed for any of them.
        """
        for batch in self._prepared():
            yield batch, *self._interpreted(body, batch, constants)

    def _interpreted(
        self, body: Block, batch: Batch, constants: Mapping[Position, Tensor] | None
    ) -> tuple[Value, dict[int, Failure]]:
        return Interpreter(batch, self.max_elements, self.max_work, constants or {}).run(body)

    def _prepared(self) -> Sequence[Batch]:
        """The batches, with room for the literals of another program."""
        if self.texts.is_full:
            self.texts.forget()
            for batch in self.batches:
                batch.forget()
        return self.batches


def normalised(value: Value, batch: Batch) -> Tensor:
    """Rows of float32 [..., batch, query, key] divided by their sums.

    Negative weights are 0 before; empty rows go to token 0.
    """
    tensor = value.tensor if value.bounds.low >= 0 else value.tensor.clamp(min=0)
    weights = tensor * batch.counts  # values are finite everywhere, so 0 is enough to hide the rest
    if value.bounds.high * batch.length > _OVERFLOW:  # divide by the largest first, so that sums are finite
        largest = weights.amax(-1, keepdim=True)
        weights = weights / torch.where(largest > 0, largest, 1.0)
    total = weights.sum(-1, keepdim=True)
    weights = weights / torch.where(total == 0, 1.0, total)
    is_empty = (total == 0) & batch.exists[:, :, None]
    if bool(is_empty.any()):
        first = torch.where(is_empty, 1.0, weights[..., :1])
        weights = torch.cat([first, weights[..., 1:]], dim=-1)
    return weights


def evaluate(
    program: ParsedProgram,
    features: Features,
    causal: bool = True,
    device: str | torch.device = "cpu",
    looks: Looks | None = None,
) -> Tensor:
    """Weights [sentence, query, key] of one program; failed sentences are all zero (see Evaluator)."""
    return Evaluator(features, causal, device, looks=looks).run(program).weights

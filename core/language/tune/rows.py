"""Many heads' fits of one product at once: log weights are linear in places of literals, rows are softmaxes.

A literal's place is its logarithm, or an exponent itself.

Rows of all sentences are laid out by length, so that hardly any cell is padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from core.language.nodes import Block
from core.language.tensor.evaluator import Evaluator
from core.language.tune.products import Product
from core.maps import iou_from_l1, l1_and_slope

_BLOCK_CELLS = 4096  # of one head in one block
_CACHED_CELLS = 2**18  # of all heads worked on together: 1 MB a tensor
_FULLEST = 0.85  # the shortest row of a block over its longest
_NOTHING = -1e30  # the logarithm of no weight; infinity would become NaN in a product with 0
_SAFE_LOG = 80.0  # below, no product of 32-bit numbers overflows or loses digits


@dataclass(frozen=True)
class _Rows:
    """Rows of similar length. C literals, P heads."""

    powers: Tensor  # float32 [C + 1, row * key]; the last is the logarithm of the fixed part
    slopes: Tensor  # float32 [row * key, C]: powers times what the row's distance counts for in the loss
    targets: Tensor  # float32 [P, row, key]
    sentence: Tensor  # int64 [row]


class ProductLoss:
    """Distance of P programs, alike but for C literals, from a head each.

    `targets` are the heads' maps [sentence, query, key]; `parts` divides the sentences into the
    mini-batches of `step`. Sentences on which the program fails are in no gradient and have IoU 0.
    """

    def __init__(
        self,
        product: Product,
        evaluator: Evaluator,
        targets: Sequence[Tensor],
        parts: Sequence[Sequence[int]],
    ) -> None:
        self.lengths = torch.from_numpy(evaluator.features.lengths).to(evaluator.device)
        self.parts = len(parts)
        allowed = _allowed(evaluator)
        fixed, failed = _dense(product.fixed, evaluator)
        powers = [_dense(power, evaluator)[0] for power in product.powers]
        self._is_exponent = torch.tensor([base is not None for base in product.bases], dtype=torch.bool)
        self.failed = failed
        weights = fixed.clamp(min=0) * allowed
        is_empty = allowed.any(2) & (weights.sum(2) == 0)  # these go to token 0
        weights[..., 0] = torch.where(is_empty, 1.0, weights[..., 0])
        logs = weights.log()
        self._largest = float(torch.where(weights > 0, logs, 0.0).abs().amax()) if logs.numel() else 0.0
        counts = (weights > 0) & ~is_empty[..., None]
        powers = [
            power if base is None else _logarithm(base, power, evaluator)
            for power, base in zip(powers, product.bases, strict=True)
        ]
        powers = [torch.where(counts, power, 0.0) for power in powers]
        self._reach = torch.stack([power.abs().amax() for power in powers]).cpu()
        powers = [power * bool(_varies(power, counts)) for power in powers]
        self._parts = [
            self._rows_of([row for row in part if row not in failed], powers, logs, targets, evaluator)
            for part in parts
        ]

    def ious(self, constants: Tensor, only: Tensor | None = None) -> Tensor:
        """Mean IoU over all sentences, float64 [pair], of constants [pair, C]; of the pairs `only`."""
        distances, _ = self._run(self._parts, constants, only, False)
        return self._means(distances)

    def step(self, part: int, constants: Tensor) -> tuple[Tensor, Tensor | None]:
        """The loss's gradient in the constants [pair, C], and `ious` where the part is everything."""
        distances, gradient = self._run([self._parts[part]], constants, None, True)
        return gradient / self._scales(constants), self._means(distances) if len(self._parts) == 1 else None

    def is_exact(self, constants: Tensor) -> Tensor:
        """bool [pair]: whether no weight can leave 32-bit range on the way, where programs would fail."""
        return self._places(constants).abs().float() @ self._reach + self._largest < _SAFE_LOG

    def _places(self, constants: Tensor) -> Tensor:
        """What the logarithm of a weight is linear in: exponents, and logarithms of the other literals."""
        return torch.where(self._is_exponent, constants, constants.log())

    def _scales(self, constants: Tensor) -> Tensor:
        """Constants over how far they move as a place does."""
        return torch.where(self._is_exponent, torch.ones_like(constants), constants)

    def _means(self, distances: Tensor) -> Tensor:
        ious = iou_from_l1(distances, self.lengths)
        ious[:, list(self.failed)] = 0
        return ious.double().nan_to_num(1.0).mean(1).cpu()

    def _run(
        self, parts: Sequence[Sequence[_Rows]], constants: Tensor, only: Tensor | None, want_gradient: bool
    ) -> tuple[Tensor, Tensor]:
        """L1 distances [pair, sentence], and the loss's gradient in their places [pair, C]."""
        logs = self._places(constants).float().to(self.lengths.device)
        logs = torch.nn.functional.pad(logs, (0, 1), value=1.0)  # the fixed part's is 1
        distances = logs.new_zeros(len(logs), len(self.lengths))
        gradient = logs.new_zeros(constants.shape)
        for rows in (rows for part in parts for rows in part):
            keys = rows.targets.shape[2]
            sums = partial(torch.matmul, other=logs.new_ones(keys))  # faster than `sum`
            targets = rows.targets if only is None else rows.targets[only.to(logs.device)]
            together = max(1, _CACHED_CELLS // len(rows.slopes))
            for pairs in (slice(at, at + together) for at in range(0, len(logs), together)):
                weights = (logs[pairs] @ rows.powers).view(-1, len(rows.sentence), keys).softmax(2)
                if want_gradient:
                    apart, slope = l1_and_slope(weights, targets[pairs], sums)
                    gradient[pairs] += slope.view(len(slope), -1) @ rows.slopes
                else:
                    apart = sums((weights - targets[pairs]).abs_())
                distances[pairs].index_add_(1, rows.sentence, apart)
        return distances, gradient.double().cpu()

    def _rows_of(
        self,
        sentences: Sequence[int],
        powers: Sequence[Tensor],
        logs: Tensor,
        targets: Sequence[Tensor],
        evaluator: Evaluator,
    ) -> list[_Rows]:
        found = []
        for sentence, query, keys in row_blocks(sentences, evaluator.features.lengths, evaluator.causal):
            size = logs.shape[1]
            rows = torch.from_numpy((sentence * size + query) * size)[:, None].to(logs.device)
            key = torch.arange(int(keys.max()), device=logs.device)
            is_real = key < torch.from_numpy(keys).to(logs.device)[:, None]
            at = torch.where(is_real, rows + key, 0)  # [row, key] in a flattened [sentence, query, key]
            sentence_of = torch.from_numpy(sentence).to(logs.device)
            picked = [(target.reshape(-1).to(logs.device)[at] * is_real).float() for target in targets]
            laid = [power.view(-1)[at] * is_real for power in powers]
            fixed = torch.where(is_real, logs.view(-1)[at], _NOTHING).clamp(min=_NOTHING)
            scale = 1 / (self.lengths[sentence_of].float() * len(sentences))
            found.append(
                _Rows(
                    powers=torch.stack([*laid, fixed]).flatten(1),
                    slopes=torch.stack([power * scale[:, None] for power in laid], 2).flatten(0, 1),
                    targets=torch.stack(picked),
                    sentence=sentence_of,
                )
            )
        return found


def _allowed(evaluator: Evaluator) -> Tensor:
    """bool [sentence, query, key]: the pairs that count."""
    size = evaluator.length
    allowed = torch.zeros((len(evaluator.features), size, size), dtype=torch.bool, device=evaluator.device)
    for batch in evaluator.batches:
        allowed[batch.rows, : batch.length, : batch.length] = batch.pairs
    return allowed


def _dense(body: Block, evaluator: Evaluator) -> tuple[Tensor, set[int]]:
    """What a body gives, float32 [sentence, query, key], and the sentences on which it fails."""
    size = evaluator.length
    values = torch.zeros((len(evaluator.features), size, size), device=evaluator.device)
    failed = set(evaluator.too_long)
    for batch, value, found in evaluator.values(body):
        shape = (batch.size, batch.length, batch.length)
        values[batch.rows, : batch.length, : batch.length] = value.tensor.expand(shape)
        failed |= {batch.rows[at] for at in found}
    return values, failed


def _logarithm(base: Block, power: Tensor, evaluator: Evaluator) -> Tensor:
    """The logarithm of a base that is never 0 to a power; 0 where that is 0."""
    values, _ = _dense(base, evaluator)
    return torch.where(power == 0, 0.0, power * values.log())


def _varies(power: Tensor, counts: Tensor) -> Tensor:
    """Whether a power differs within any row; if not, its literal scales whole rows and has no effect."""
    highest = torch.where(counts, power, -torch.inf).amax(2)
    lowest = torch.where(counts, power, torch.inf).amin(2)
    return (highest > lowest).any()


def row_blocks(
    sentences: Sequence[int], all_lengths: np.ndarray, is_causal: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sentence, query and number of keys of each row, int64, in blocks of rows of similar length.

    `all_lengths` [sentence] are tokens of every sentence; rows of `sentences` are laid out.
    """
    lengths = all_lengths[list(sentences)]
    sentence = np.repeat(np.array(sentences, np.int64), lengths)
    query = np.concatenate([np.arange(n) for n in lengths]) if len(lengths) else np.zeros(0, np.int64)
    keys = query + 1 if is_causal else np.repeat(lengths, lengths)
    order = np.argsort(-keys, kind="stable")
    start = 0
    while start < len(order):
        longest = keys[order[start]]
        end = start + max(1, _BLOCK_CELLS // int(longest))
        block = order[start:end]
        block = block[keys[block] >= _FULLEST * longest - 1]
        yield sentence[block], query[block], keys[block]
        start += len(block)

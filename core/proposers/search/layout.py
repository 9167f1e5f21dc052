"""Where the cells of many sentences' maps lie, so that all are worked on as a few flat tensors.

Two orders of the same cells. *Squares* are what the evaluator gives: sentences of similar length
padded to the longest of them, [sentence, query, key] after one another. *Rows* leave out what no query sees:
rows of similar length after one another in blocks [row, key], hardly padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.features import Features
from core.language import Batch, Evaluator, Value, parse
from core.language.tune import row_blocks
from core.types import Failure


@dataclass(frozen=True)
class Square:
    """Sentences that are padded to one length."""

    cells: slice  # in the squares
    tokens: slice  # padded tokens, [sentence, token]
    size: int
    length: int


@dataclass(frozen=True)
class Block:
    """Rows of similar length."""

    cells: slice  # in the rows
    keys: int
    sentence: Tensor  # int64 [row]


class Layout:
    """The cells of `features`' sentences."""

    def __init__(self, features: Features, is_causal: bool, device: torch.device) -> None:
        self.features = features
        self.evaluator = Evaluator(features, is_causal, device)
        self.device = device
        self.lengths = torch.from_numpy(features.lengths).to(device)
        self.squares: list[Square] = []
        base = np.zeros(len(features), np.int64)  # of each sentence's square
        first = np.zeros(len(features), np.int64)  # its first padded token
        width = np.zeros(len(features), np.int64)
        cells = tokens = 0
        for batch in self.evaluator.batches:
            area = batch.length**2
            for at, row in enumerate(batch.rows):
                base[row], first[row], width[row] = (
                    cells + at * area,
                    tokens + at * batch.length,
                    batch.length,
                )
            ends = cells + batch.size * area, tokens + batch.size * batch.length
            square = Square(slice(cells, ends[0]), slice(tokens, ends[1]), batch.size, batch.length)
            self.squares.append(square)
            cells, tokens = ends
        self.square_cells, self.tokens = cells, tokens
        self._lay_rows(base, first, width, is_causal)

    def _lay_rows(self, base: np.ndarray, first: np.ndarray, width: np.ndarray, is_causal: bool) -> None:
        self.blocks: list[Block] = []
        square, query, key, real, share = [], [], [], [], []
        lengths = self.features.lengths
        everything = range(len(self.features))
        cells = 0
        for sentence, q, keys in row_blocks(everything, lengths, is_causal):
            k = np.arange(int(keys.max()))
            is_real = k < keys[:, None]
            safe = np.where(is_real, k, 0)  # padding reads the row's first cell
            square.append(((base[sentence] + q * width[sentence])[:, None] + safe).ravel())
            query.append(np.repeat(first[sentence] + q, len(k)))
            key.append((first[sentence][:, None] + safe).ravel())
            real.append(is_real.ravel())
            share.append(np.repeat(1 / (lengths[sentence] * len(lengths)), len(k)))
            end = cells + len(sentence) * len(k)
            rows = torch.from_numpy(sentence).to(self.device)
            self.blocks.append(Block(slice(cells, end), len(k), rows))
            cells = end
        self.cells = cells
        self.square = self._tensor(square)  # int64 [cell], where it lies in the squares
        self.query = self._tensor(query)  # int64 [cell], its padded token
        self.key = self._tensor(key)
        self.is_real = self._tensor(real)
        self.share = self._tensor(share).float()  # of the row in the mean over sentences of means over rows

    def _tensor(self, parts: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(self.device)

    def values(self, expression: str) -> Tensor | None:
        """A number or condition of q and k in every square, float32 [cell]; None if it fails anywhere."""
        found = []
        for batch, value, failed in self._evaluated(expression):
            if failed:
                return None
            found.append(value.tensor.expand(batch.size, batch.length, batch.length).reshape(-1))
        return torch.cat(found)

    def token_values(self, expression: str) -> Tensor:
        """A condition on k alone, float32 [padded token]; 0 in padding."""
        found = []
        for batch, value, _ in self._evaluated(expression):
            tensor = value.tensor[:, 0, :].expand(batch.size, batch.length)
            found.append((tensor * batch.exists).reshape(-1))
        return torch.cat(found)

    def _evaluated(self, expression: str) -> Iterator[tuple[Batch, Value, dict[int, Failure]]]:
        """What an expression of q and k gives as a number, and which sentences fail, batch by batch."""
        body = parse(f"def attend(q, k):\n    return {expression}\n").body
        for batch, value, failed in self.evaluator.values(body):
            yield batch, value.numeric(), failed

    def targets(self, maps: Mapping[str, np.ndarray]) -> Tensor:
        """A layer's maps, float32 [head, row cell]; 0 in padding. `maps`: sentence -> [head, query, key]."""
        heads = next(iter(maps.values())).shape[0]
        flat = torch.zeros(heads, self.square_cells)
        for batch, square in zip(self.evaluator.batches, self.squares, strict=True):
            view = flat[:, square.cells].view(heads, square.size, square.length, square.length)
            for at, row in enumerate(batch.rows):
                n = int(self.features.lengths[row])
                view[:, at, :n, :n] = torch.from_numpy(maps[self.features.sentences[row]])
        return flat.to(self.device)[:, self.square] * self.is_real

    def of_tokens(self, numbers: Mapping[str, np.ndarray]) -> Tensor:
        """A layer's numbers, sentence -> [head, key], as float32 [head, padded token]; 0 in padding."""
        heads = next(iter(numbers.values())).shape[0]
        flat = torch.zeros(heads, self.tokens)
        for batch, square in zip(self.evaluator.batches, self.squares, strict=True):
            view = flat[:, square.tokens].view(heads, square.size, square.length)
            for at, row in enumerate(batch.rows):
                n = int(self.features.lengths[row])
                view[:, at, :n] = torch.from_numpy(numbers[self.features.sentences[row]])
        return flat.to(self.device)

    def to_squares(self, rows: Tensor) -> Tensor:
        """Row cells [head, cell] in the squares' order, 0 in padding."""
        squares = rows.new_zeros(len(rows), self.square_cells)
        squares[:, self.square[self.is_real]] = rows[:, self.is_real]
        return squares

    def row_views(self, rows: Tensor) -> Iterator[tuple[Block, Tensor]]:
        """Each block of row cells [..., cell] as [..., row, key]."""
        for block in self.blocks:
            part = rows[..., block.cells]
            yield block, part.view(*part.shape[:-1], -1, block.keys)

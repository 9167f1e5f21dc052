"""last, first and count over a batch.

What is wanted usually depends on nothing, on the query or on the key alone. Then one table per
distinct want, [batch, want, token], answers for every starting token, and the work is one element per
pair. Only wants that depend on both take a loop over the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.language.values.batch import Batch
from core.language.values.tensors import ANYTHING, Bounds, Value

Want = tuple[Tensor, Tensor]  # an attribute of every token [batch, token], and the value it must have


def search(batch: Batch, function: str, token: Value | None, wants: Sequence[tuple[str, Value]]) -> Value:
    """The tokens found (int64) or counted (float32), as thin as what they depend on."""
    pairs = [(batch.column(name)[0][:, 1:], value.tensor) for name, value in wants]
    if needs_loop(wants):
        found = _by_candidate(batch, function, token, pairs)
    else:
        found = _by_table(batch, function, token, pairs)
    if function == "count":
        return Value(found.float(), Bounds(0.0, float(batch.length)))
    return Value(found, ANYTHING)


def needs_loop(wants: Sequence[tuple[str, Value]]) -> bool:
    """Whether what is wanted depends on query and key both."""
    shapes = [value.tensor.shape for _, value in wants]
    return any(shape[1] > 1 for shape in shapes) and any(shape[2] > 1 for shape in shapes)


def _by_table(batch: Batch, function: str, token: Value | None, wants: Sequence[Want]) -> Tensor:
    """Answers for every start, then a look-up; works with the wants along axis 1."""
    along_key = any(value.shape[2] > 1 for _, value in wants)
    matches = batch.exists[:, None, :]
    for column, value in wants:
        wanted = value.transpose(1, 2) if along_key else value  # [batch, want, 1]
        matches = matches & (column[:, None, :] == wanted)  # [batch, want, candidate]
    if token is None:
        found = _leftmost(matches, batch.positions)
    else:
        start = token.tensor.transpose(1, 2) if along_key else token.tensor
        table = _before(matches, batch.positions, function)
        rows = max(table.shape[1], start.shape[1])
        start = start.clamp(min=0).expand(batch.size, rows, -1)
        found = table.expand(-1, rows, -1).gather(2, start)
    return found.transpose(1, 2) if along_key else found


def _before(matches: Tensor, positions: Tensor, function: str) -> Tensor:
    """int64 [batch, want, start]: the nearest match before each start (-1: none), or how many there are."""
    if function == "count":
        running = matches.long().cumsum(2)
    else:
        running = torch.where(matches, positions, -1).cummax(2).values
    nothing = torch.full_like(running[:, :, :1], 0 if function == "count" else -1)
    return torch.cat([nothing, running[:, :, :-1]], dim=2)


def _leftmost(matches: Tensor, positions: Tensor) -> Tensor:
    """int64 [batch, want, 1]: the first match of the passage, -1 if there is none."""
    nowhere = len(positions)
    found = torch.where(matches, positions, nowhere).amin(2, keepdim=True)
    return torch.where(found == nowhere, -1, found)


def _by_candidate(batch: Batch, function: str, token: Value | None, wants: Sequence[Want]) -> Tensor:
    """One candidate after the other, keeping only [batch, query, key] tensors."""
    counted = torch.zeros(1, dtype=torch.int64, device=batch.device)
    latest = torch.full((1,), -1, device=batch.device)
    backwards = function == "first"  # the last one to overwrite is then the leftmost
    for at in reversed(range(batch.length)) if backwards else range(batch.length):
        matches = batch.exists[:, at, None, None]
        for column, value in wants:
            matches = matches & (column[:, at, None, None] == value)
        if token is not None:
            matches = matches & (token.tensor > at)
        if function == "count":
            counted = counted + matches
        else:
            latest = torch.where(matches, at, latest)
    return counted if function == "count" else latest

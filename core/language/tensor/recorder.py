"""Where in a program a pair is, and which pairs have failed there."""

from __future__ import annotations

import torch
from torch import Tensor

from core.types import Failure

Path = tuple[tuple[Tensor, bool], ...]  # the conditions, and how each turned out, that lead to a place


class Recorder:
    """Records failures of a batch's pairs, each at its first failing operation.

    `path` says which pairs truly get to the expression being evaluated; it is only turned into a mask
    where something fails. `attempts` counts calls of `fail`, also those that concern no such pair.
    """

    def __init__(self, pairs: Tensor) -> None:
        self.pairs = pairs  # bool [batch, query, key]: those that count
        self.path: Path = ()
        self.attempts = 0
        self._failed: Tensor | None = None  # bool [batch, query, key]
        self._sites: list[tuple[Tensor, Failure]] = []  # in evaluation order; no pair fails twice

    @property
    def has_failed(self) -> bool:
        """Whether any pair has."""
        return self._failed is not None

    def first_failures(self) -> dict[int, Failure]:
        """Row of the batch -> the failure of its first failing pair."""
        if self._failed is None:
            return {}
        site = torch.full_like(self._failed, -1, dtype=torch.int64)
        for at, (where, _) in enumerate(self._sites):
            site = torch.where(where, at, site)
        first = self._failed.flatten(1).to(torch.uint8).argmax(1, keepdim=True)
        sites = site.flatten(1).gather(1, first)[:, 0].tolist()
        return {row: self._sites[at][1] for row, at in enumerate(sites) if at >= 0}

    def fail(self, where: Tensor, failure: Failure) -> None:
        """Record a failure at those pairs that count, get here, and have not failed before."""
        self.attempts += 1
        where = where & self.pairs & self.mask(self.path)
        if where.dim() > self.pairs.dim():  # many constants at once: of any of them
            where = where.any(0)
        if self._failed is not None:
            where = where & ~self._failed
        if bool(where.any()):
            self._failed = where if self._failed is None else self._failed | where
            self._sites.append((where, failure))

    def mask(self, path: Path) -> Tensor:
        """bool: which pairs meet every condition of a path, as thin as the conditions are."""
        mask = torch.ones((1, 1, 1), dtype=torch.bool, device=self.pairs.device)
        for condition, outcome in path:
            mask = mask & (condition if outcome else ~condition)
        return mask

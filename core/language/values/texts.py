"""Texts as whole numbers, so that comparing texts is comparing integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import torch
from torch import Tensor

Test = Callable[[str, str], bool]


class Texts:
    """Every distinct text of some sentences and of the programs run on them."""

    def __init__(self, texts: Sequence[str], device: torch.device) -> None:
        self.device = device
        self._ids = {text: at for at, text in enumerate(texts)}
        self._tables: dict[tuple[Test, int, bool], Tensor] = {}

    def id(self, text: str) -> int:
        """The number of a text, new if it was not seen before."""
        return self._ids.setdefault(text, len(self._ids))

    def test(self, test: Test, text: Tensor, part: Tensor) -> Tensor:
        """A test of two texts, such as str.startswith, for int64 ids; bool, broadcast over both shapes.

        Computed once per distinct text if either side is one text, else per distinct pair.
        """
        if part.numel() == 1:
            return self._table(test, int(part), True)[text]
        if text.numel() == 1:
            return self._table(test, int(text), False)[part]
        pairs, inverse = torch.unique(text * len(self._ids) + part, return_inverse=True)
        words = list(self._ids)
        outcomes = [test(words[pair // len(words)], words[pair % len(words)]) for pair in pairs.tolist()]
        return torch.tensor(outcomes, device=self.device)[inverse]

    def _table(self, test: Test, fixed: int, is_part: bool) -> Tensor:
        """bool [text]: the test of every text so far against one fixed side."""
        key = (test, fixed, is_part)
        table = self._tables.get(key)
        if table is None or len(table) < len(self._ids):
            word = next(islice(self._ids, fixed, None))
            outcomes = [test(text, word) if is_part else test(word, text) for text in self._ids]
            table = self._tables[key] = torch.tensor(outcomes, device=self.device)
        return table

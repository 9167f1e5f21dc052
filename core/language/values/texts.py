"""Texts as whole numbers, so that comparing texts is comparing integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core.features import ATTRIBUTES

Test = Callable[[str, str], bool]

_MAX_TABLES = 1024  # tests that are kept: a bit for each text
_MAX_LITERALS = 4096  # of programs, before what they left is forgotten


class Texts:
    """Every distinct text of some sentences and of the programs run on them."""

    def __init__(self, texts: Sequence[str], device: torch.device) -> None:
        self.device = device
        missing = {str(a.missing) for a in ATTRIBUTES.values() if a.kind == "text"}
        self._words = [*texts, *sorted(missing.difference(texts))]
        self._own = len(self._words)
        self._ids = {text: at for at, text in enumerate(self._words)}
        self._tables: dict[tuple[Test, int, bool], Tensor] = {}

    @property
    def is_full(self) -> bool:
        """Whether the literals of programs have become so many that they should be forgotten."""
        return len(self._words) - self._own > _MAX_LITERALS

    @property
    def words(self) -> tuple[str, ...]:
        """What the numbers stand for."""
        return tuple(self._words)

    def forget(self) -> None:
        """Give up the numbers of all texts but the sentences' own; nothing may hold one of them any more."""
        for word in self._words[self._own :]:
            del self._ids[word]
        del self._words[self._own :]
        self._tables.clear()

    def id(self, text: str) -> int:
        """The number of a text, new if it was not seen before."""
        at = self._ids.setdefault(text, len(self._words))
        if at == len(self._words):
            self._words.append(text)
        return at

    def test(self, test: Test, text: Tensor, part: Tensor) -> Tensor:
        """A test of two texts, such as str.startswith, for int64 ids; bool, broadcast over both shapes.

        Computed once per distinct text if either side is one text, else per distinct pair.
        """
        if part.numel() == 1:
            return self._table(test, int(part), True, int(text.max()))[text]
        if text.numel() == 1:
            return self._table(test, int(text), False, int(part.max()))[part]
        pairs, inverse = torch.unique(text * len(self._words) + part, return_inverse=True)
        count = len(self._words)
        outcomes = [test(self._words[pair // count], self._words[pair % count]) for pair in pairs.tolist()]
        return torch.tensor(outcomes, device=self.device)[inverse]

    def _table(self, test: Test, fixed: int, is_part: bool, last: int) -> Tensor:
        """bool [text]: the test of the sentences' texts, and of all others up to `last`, against one side.

        Each is tested once: where more are asked for later, they are added.
        """
        key, word = (test, fixed, is_part), self._words[fixed]
        table = self._tables.get(key)
        if table is None and len(self._tables) >= _MAX_TABLES:
            self._tables.clear()
        known = 0 if table is None else len(table)
        wanted = max(self._own, last + 1)
        if known < wanted:
            new = self._words[known:wanted]
            outcomes = (test(text, word) if is_part else test(word, text) for text in new)
            added = torch.from_numpy(np.fromiter(outcomes, bool, len(new))).to(self.device)
            table = self._tables[key] = added if table is None else torch.cat([table, added])
        assert table is not None
        return table

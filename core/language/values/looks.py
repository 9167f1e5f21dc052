"""What programs look at: the attention of other heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.types import HeadId

Looks = Mapping[HeadId, Any]  # a head's map of each sentence [query, key], as a sequence or a tensor


class SomeLooks(Mapping[HeadId, list[Any]]):
    """What heads give on some of the sentences."""

    def __init__(self, looks: Looks, rows: Sequence[int]) -> None:
        self._looks, self._rows = looks, rows

    def __getitem__(self, head: HeadId) -> list[Any]:
        maps = self._looks[head]
        return [maps[row] for row in self._rows]

    def __iter__(self) -> Iterator[HeadId]:
        return iter(self._looks)

    def __len__(self) -> int:
        return len(self._looks)

    def __contains__(self, head: object) -> bool:
        return head in self._looks

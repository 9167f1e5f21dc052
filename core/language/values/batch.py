"""The padded tensors of a few sentences of similar length, and what programs share of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from core.features import ATTRIBUTES, Features, missing_value
from core.language.values.looks import Looks
from core.language.values.tensors import ANYTHING, Bounds, Value, measured
from core.language.values.texts import Texts
from core.types import HeadId

_DTYPES = {"number": torch.float32, "boolean": torch.bool, "text": torch.int64, "token": torch.int64}
_WEIGHT = Bounds(0.0, 1.01)  # of attention, whose rows may be rounded up
_CONSTANTS = {float: torch.float32, bool: torch.bool, int: torch.int64}
Kept = tuple[Value, tuple[int, int]]  # a value, and the work it took
_MAX_LOOKS = 32  # heads' padded maps that are kept, and as many of their logarithms
_MAX_CONSTANTS = 256  # single numbers that are kept
_MAX_PAIR_VALUES = 16  # cached [batch, query, key] values
_MAX_THIN_VALUES = 1024  # cached values of one token

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


class Batch:
    """Sentences `rows` of `features`, padded to the longest of them.

    Columns are [batch, 1 + token]: cell 0 holds the attribute of a token that does not exist, so that
    a token's index plus 1 finds its attribute whether it exists or not.
    """

    def __init__(
        self,
        features: Features,
        rows: Sequence[int],
        texts: Texts,
        causal: bool,
        device: torch.device,
        looks: Looks | None = None,
    ) -> None:
        self.features = features
        self.looks = {} if looks is None else looks
        self.rows = rows
        self.is_whole = list(rows) == list(range(len(features)))  # no other rows, and in order
        self.texts = texts
        self.device = device
        lengths = torch.from_numpy(features.lengths[list(rows)]).to(device)
        self.size, self.length = len(rows), int(lengths.max())
        self.shortest = int(lengths.min())
        starts, ends = (features.offsets[[row + at for row in rows]] for at in (0, 1))
        places = starts[:, None] + np.arange(-1, self.length)  # [batch, 1 + token], in the features' columns
        is_nothing = (places < starts[:, None]) | (places >= ends[:, None])
        self._is_nothing, self._places = torch.from_numpy(is_nothing), np.where(is_nothing, 0, places)
        positions = torch.arange(self.length, device=device)
        self.positions = positions
        self.exists = positions < lengths[:, None]  # [batch, token]
        self.pairs = (
            self.exists[:, :, None] & self.exists[:, None, :]
        )  # [batch, query, key]: those that count
        if causal:
            self.pairs = self.pairs & (positions <= positions[:, None])
        self.counts = self.pairs.float()  # 1 where a pair counts
        # The logarithm of `counts`, and 0 in rows of queries that do not exist.
        self.hidden = torch.where(self.pairs | ~self.exists[:, :, None], 0.0, -torch.inf)
        self.parameters = {
            "q": Value(positions.view(1, self.length, 1)),
            "k": Value(positions.view(1, 1, self.length)),
        }
        self._columns: dict[str, tuple[Tensor, Bounds]] = {}
        self._constants: dict[tuple[type, float | bool], Tensor] = {}
        self._own: dict[tuple[str, str], Value] = {}
        self._thin: dict[Hashable, Kept] = {}
        self._paired: dict[Hashable, Kept] = {}
        self._seen: dict[HeadId, Tensor] = {}
        self._logarithms: dict[tuple[HeadId, float], tuple[Tensor, Bounds]] = {}

    def constant(self, value: float | bool) -> Tensor:
        """[1, 1, 1]: the same value for every pair."""
        kind = type(value)
        found = self._constants.get((kind, value))
        if found is None:
            found = torch.tensor([[[value]]], dtype=_CONSTANTS[kind], device=self.device)
            _keep(self._constants, (kind, value), found, _MAX_CONSTANTS)
        return found

    def cached(self, key: Hashable) -> Kept | None:
        """A value and its work that are the same in every program, if it was computed before."""
        return self._thin.get(key) or self._paired.get(key)

    def cache(self, key: Hashable, value: Value, work: tuple[int, int]) -> None:
        """Keep a value that is the same in every program, and what it took."""
        if 1 in value.tensor.shape[1:]:
            _keep(self._thin, key, (value, work), _MAX_THIN_VALUES)
        else:
            _keep(self._paired, key, (value, work), _MAX_PAIR_VALUES)

    def forget(self) -> None:
        """Drop what was kept of programs' expressions; it may hold numbers of texts."""
        self._thin.clear()
        self._paired.clear()

    def column(self, name: str) -> tuple[Tensor, Bounds]:
        """An attribute of every token, [batch, 1 + token], and its bounds if it is a number."""
        if name not in self._columns:
            tensor = self._padded(name)
            is_number = ATTRIBUTES[name].kind == "number"
            self._columns[name] = tensor, measured(tensor) if is_number else ANYTHING
        return self._columns[name]

    def _padded(self, name: str) -> Tensor:
        kind = ATTRIBUTES[name].kind
        missing = missing_value(name)
        fill = self.texts.id(missing) if isinstance(missing, str) else missing
        values = torch.from_numpy(self.features.columns[name][self._places]).to(_DTYPES[kind])
        return values.masked_fill_(self._is_nothing, fill).to(self.device)

    def attribute(self, token: Value, name: str) -> Value:
        """An attribute of the tokens with these indices."""
        for parameter, value in self.parameters.items():
            if token is value:
                return self.own(parameter, name)
        column, bounds = self.column(name)
        at = (token.tensor + 1).expand(self.size, -1, -1)
        return Value(column.gather(1, at.flatten(1)).view(at.shape), bounds)

    def own(self, parameter: str, name: str) -> Value:
        """An attribute of q or of k."""
        if (parameter, name) not in self._own:
            column, bounds = self.column(name)
            tensor = column[:, 1:, None] if parameter == "q" else column[:, None, 1:]
            self._own[parameter, name] = Value(tensor, bounds)
        return self._own[parameter, name]

    def look(self, head: HeadId, query: Value, key: Value) -> Value | None:
        """The weights that a head gives from tokens to tokens; None where its attention is not at hand."""
        maps = self._maps_of(head)
        if maps is None:
            return None
        if query is self.parameters["q"] and key is self.parameters["k"]:
            return Value(maps, _WEIGHT)
        n = self.length
        at = (query.tensor.clamp(min=0) * n + key.tensor.clamp(min=0)).expand(self.size, -1, -1)
        found = maps.flatten(1).gather(1, at.flatten(1)).view(at.shape)
        return Value(torch.where((query.tensor < 0) | (key.tensor < 0), 0.0, found), _WEIGHT)

    def look_logarithm(self, head: HeadId, plus: float) -> tuple[Tensor, Bounds] | None:
        """The logarithm of what a head gives from q to k and a number, and its bounds.

        float32 [batch, query, key]; None where the head's attention is not at hand.
        """
        if head not in self.looks:
            return None
        found = self._logarithms.get((head, plus))
        if found is None:
            logs = self._read(head).add_(plus).log_()
            found = logs, measured(logs)
            _keep(self._logarithms, (head, plus), found, _MAX_LOOKS)
        return found

    def _maps_of(self, head: HeadId) -> Tensor | None:
        """float32 [batch, query, key], 0 in padding."""
        if head not in self.looks:
            return None
        found = self._seen.get(head)
        if found is None:
            found = self._read(head)
            _keep(self._seen, head, found, _MAX_LOOKS)
        return found

    def _read(self, head: HeadId) -> Tensor:
        """What a head gives, read afresh: float32 [batch, query, key], 0 in padding."""
        maps, n = self.looks[head], self.length
        if isinstance(maps, Tensor):  # [sentence, query, key], perhaps with a gradient
            chosen = maps if self.is_whole and len(maps) == self.size else maps[list(self.rows)]
            return chosen[:, :n, :n].to(self.device).float() * self.counts
        padded = torch.zeros((self.size, n, n))
        for at, row in enumerate(self.rows):
            own = int(self.features.lengths[row])
            padded[at, :own, :own] = torch.as_tensor(maps[row])[:own, :own]
        return padded.to(self.device)

    @property
    def has_vectors(self) -> bool:
        """Whether similarity() is available."""
        return self.features.vectors is not None and self.features.vector_rows is not None

    def similarity(self, a: Value, b: Value) -> Value:
        """Cosines of two tokens' embeddings; 0 if either token does not exist."""
        bounds = Bounds(-1.0, 1.0)
        if a is self.parameters["q"] and b is self.parameters["k"]:
            return Value(self._cosines[:, 1:, 1:], bounds)
        at = ((a.tensor + 1) * (self.length + 1) + b.tensor + 1).expand(self.size, -1, -1)
        return Value(self._cosines.flatten(1).gather(1, at.flatten(1)).view(at.shape), bounds)

    @cached_property
    def _cosines(self) -> Tensor:
        """float32 [batch, 1 + token, 1 + token]; in 64 bits first, so that the result hangs on no library."""
        vectors, vector_rows = self.features.vectors, self.features.vector_rows
        assert vectors is not None
        assert vector_rows is not None
        padded = torch.zeros((self.size, self.length + 1, vectors.shape[1]), dtype=torch.float64)
        for at, row in enumerate(self.rows):
            values = vectors[vector_rows[self.features.span(row)]]
            padded[at, 1 : len(values) + 1] = torch.from_numpy(values)
        padded = padded.to(self.device)
        return (padded @ padded.transpose(1, 2)).clamp(-1, 1).float()


def _keep(kept: dict[_Key, _Item], key: _Key, item: _Item, most: int) -> None:
    """Keep something in the place of the oldest, so that only the latest are held."""
    if len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = item

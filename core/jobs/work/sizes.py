"""What heads write of each token, measured when a proposer first asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np

from core.features import Features
from core.jobs.crew import Bench
from core.jobs.place import Place
from core.types import ModelInfo


class SizesWritten:
    """Lengths of what each head writes of each token, for passages of a model."""

    def __init__(self, place: Place, info: ModelInfo, bench: Bench, passages: Sequence[Features]) -> None:
        self._place, self._info, self._bench = place, info, bench
        self._passages = passages
        self._measured: dict[int, dict[str, np.ndarray]] = {}
        self._lock = Lock()  # layers are searched side by side

    def of_layer(self, layer: int) -> Mapping[str, np.ndarray]:
        """Sentence -> float32 [head, key]. Loads the model; raises AuditError where it cannot be measured."""
        with self._lock:
            if not self._measured:
                self._measure()
            return self._measured[layer]

    def _measure(self) -> None:
        from core.audit.sizes import sizes_written  # imports transformers

        loaded = self._bench.model(self._place, self._info.name, self._info.id)
        self._bench.told.progress("reading what heads write", 0, 0)
        for features in self._passages:
            for layer, sizes in sizes_written(loaded, features).items():
                self._measured.setdefault(layer, {}).update(sizes)

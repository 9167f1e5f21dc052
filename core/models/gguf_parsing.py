"""GGUF files, of which transformers (5.24) parses each four times and lays out the names once a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import numpy as np

_ONE = Lock()


@contextmanager
def parsed_once() -> Iterator[None]:
    """In here a file is parsed, and an architecture's names are laid out, once: less than half the time."""
    import gguf  # only few models come in such a file

    with _ONE:

        class Reader(gguf.GGUFReader):  # type: ignore[misc]
            """Slices an array, not a memmap: each of some 150,000 slices takes a fraction of the time."""

            @property
            def data(self) -> np.ndarray:
                return self._data

            @data.setter
            def data(self, mapped: np.ndarray) -> None:
                self._data = mapped.view(np.ndarray)

        slow = gguf.GGUFReader, gguf.get_tensor_name_map
        gguf.GGUFReader, gguf.get_tensor_name_map = cache(Reader), cache(gguf.get_tensor_name_map)
        try:
            yield
        finally:
            gguf.GGUFReader, gguf.get_tensor_name_map = slow

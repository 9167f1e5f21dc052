"""A device that is not the CPU, on a machine that has no other: `elsewhere`.

Its tensors compute on the CPU and say that they lie elsewhere. As on a GPU, tensors of two devices do not mix
(but for a lone number, and for places that are looked up), and `.numpy()` is refused. What forgets to move a
tensor fails here as it would there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "elsewhere"
_MOVES = {"aten::copy_", "aten::_to_copy", "aten::_copy_from", "aten::_copy_from_and_resize"}
_LOOK_UP = {"aten::index", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_"}


class Elsewhere(torch.Tensor):
    """A tensor whose values another holds, on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            held.stride(),
            held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"elsewhere: {self.held!r}"

    __torch_function__ = torch._C._disabled_torch_function_impl  # results are not made its class

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, **options: Any) -> Any:
        raise TypeError(f"can't convert {NAME} device type tensor to numpy")

    def __getitem__(self, places: Any) -> torch.Tensor:
        return super().__getitem__(_looked_up(places))

    def __setitem__(self, places: Any, values: Any) -> None:
        super().__setitem__(_looked_up(places), values)

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _computed(op, *arguments, **(options or {}))


def _looked_up(places: Any) -> Any:
    """Places to look up, with tensors for lists, which torch would make unheard by a Python device."""
    if isinstance(places, tuple):
        return tuple(_looked_up(place) for place in places)
    if isinstance(places, list):
        return torch.tensor(places, dtype=None if places else torch.long)
    return places


def _computed(op: Any, *arguments: Any, **options: Any) -> Any:
    """An operation's result, computed on the CPU and put elsewhere again."""
    given = [one for one in tree_iter((arguments, options)) if isinstance(one, torch.Tensor)]
    name = op._schema.name
    if name not in _MOVES:
        _require_one_device(name, given)
    to = options.get("device")
    stays_here = to is not None and torch.device(to).type == "cpu"

    def here(value: Any) -> Any:
        if isinstance(value, Elsewhere):
            return value.held
        return torch.device("cpu") if isinstance(value, torch.device) and value.type == NAME else value

    def there(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        for one in given:
            if one is value or getattr(one, "held", None) is value:  # worked on in its place
                return one
        return Elsewhere(value)

    found = op(*tree_map(here, arguments), **tree_map(here, options))
    return found if stays_here else tree_map(there, found)


def _require_one_device(name: str, given: list[torch.Tensor]) -> None:
    """Raises RuntimeError where tensors of two devices meet, as a GPU's operations do."""
    if name in _LOOK_UP:
        given = given[:1]
    devices = {one.device.type for one in given if one.dim()}
    if len(devices) > 1:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found {devices}")


_LIBRARY = torch.library.Library("_", "IMPL", "PrivateUse1")


@cache
def _register() -> None:
    _setup_privateuseone_for_python_backend(NAME)
    _LIBRARY.fallback(_computed)


@contextmanager
def elsewhere() -> Iterator[str]:
    """The device's name, under which tensors can be put there within the block."""
    _register()
    plain = torch.tensor  # makes its tensors below what a Python device is told of
    inference = torch.inference_mode  # whose tensors have no versions, which views of a wrapper need

    def tensor(values: Any, *, device: Any = None, **options: Any) -> torch.Tensor:
        made: torch.Tensor = plain(values, **options)
        return made if device is None else made.to(device)

    torch.tensor, torch.inference_mode = tensor, torch.no_grad
    # A parameter that is moved stays the same object: weights that are tied would else be two.
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        yield NAME
    finally:
        torch.tensor, torch.inference_mode = plain, inference
        torch.__future__.set_swap_module_params_on_conversion(False)

"""Where tensors are worked on, and what to do where its memory runs out."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch

from core.errors import ModelError, is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def pick_device(wanted: str = "auto") -> torch.device:
    """The device asked for, or the best there is: CUDA, else MPS, else the CPU."""
    if wanted != "auto":
        try:
            device = torch.device(wanted)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"device {wanted!r} cannot be used: {reason}; try cpu or auto") from error
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def give_back() -> None:
    """Hand freed memory back to the system, which the C library keeps between what is still in use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc's
        trim(0)


def entrance(model: Any) -> torch.device:
    """Where a model takes its tokens; its layers may be on other devices."""
    embeddings = model.get_input_embeddings()
    device = getattr(getattr(embeddings, "_hf_hook", None), "execution_device", None)
    return embeddings.weight.device if device is None else torch.device(device)


def parameters(model: Any) -> Iterator[torch.Tensor]:
    """Each parameter once, with its values also where these are fetched only when their layer runs."""
    seen: dict[int, torch.Tensor] = {}
    for module in model.modules():
        own = {name: one for name, one in module._parameters.items() if one is not None}
        own = {name: one for name, one in own.items() if id(one) not in seen}
        seen |= {id(one): one for one in own.values()}
        if not any(one.is_meta for one in own.values()):
            yield from own.values()
            continue
        from accelerate.utils import align_module_device  # takes a while, and few models need it

        with align_module_device(module, torch.device("cpu")):
            yield from [module._parameters[name] for name in own]


class Halving:
    """Works on batches in one go; where memory runs out, on halves, and on no more from then on.

    `tell` hears of each halving. Results must not depend on how items are batched.
    """

    def __init__(self, tell: Callable[[str], None] = lambda text: None) -> None:
        self._tell = tell
        self._most = math.inf  # size of batch that may fit

    def run(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Result],
        size: Callable[[Sequence[Item]], float] = len,
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """`work`'s result for `items`, or for each part of them, in order, with the part.

        `size` says what a batch takes, in any unit. Raises ModelError if one item alone does not fit.
        """
        waiting = [items]
        while waiting:
            part = waiting.pop(0)
            if len(part) == 1 or size(part) <= self._most:
                try:
                    result = work(part)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    # the error holds on to the batch's tensors until this block is left
                else:
                    yield part, result
                    continue
                self._shrink(len(part), size(part))
            middle = (len(part) + 1) // 2
            waiting[:0] = [part[:middle], part[middle:]]

    def _shrink(self, items: int, size: float) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if items == 1:
            raise ModelError(
                "the device's memory does not hold even one item; use a device with more, the CPU (--device "
                "cpu, HEADSCRIPT_DEVICE=cpu), or shorter passages"
            )
        self._most = size / 2
        self._tell(f"the device's memory ran out on a batch of {items}; goes on with half of that")

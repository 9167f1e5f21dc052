"""Where tensors are worked on."""

from __future__ import annotations

import torch

from core.errors import ModelError


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

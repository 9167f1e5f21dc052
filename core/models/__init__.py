"""Any transformer by hub id, folder, GGUF file or `demo`, its device, and its attention on sentences.

load(name)                        a LoadedModel; what it needs of transformers is imported by then, not before
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.models.pretrained import LoadedModel, load

__all__ = ["LoadedModel", "load"]


def __getattr__(name: str) -> Any:
    """The face's names from `pretrained`, which takes seconds to import and not every worker needs."""
    if name in __all__:
        from core.models import pretrained

        return getattr(pretrained, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

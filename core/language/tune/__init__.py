"""Constants of programs, fitted by gradient and written back into the source in place."""

from core.language.tune.descent import Fitted, tune

__all__ = ["Fitted", "tune"]

"""A program as a Python file that runs without this package."""

from core.language.export.copied import must_be_given
from core.language.export.standalone import export, reads

__all__ = ["export", "must_be_given", "reads"]

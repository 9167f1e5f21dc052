"""A program as a Python file that runs without this package."""

from core.language.export.standalone import export

__all__ = ["export"]

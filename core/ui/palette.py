"""The palette under the name that pages know."""

from core.palette import CIVIDIS, PUOR, VERDICTS

__all__ = ["CIVIDIS", "PUOR", "VERDICTS"]

"""Constants of programs, fitted by gradient and written back into the source in place."""

from core.language.tune.descent import Fitted, tune
from core.language.tune.literals import Literal, literals, rewritten, spelt
from core.language.tune.rounding import FEWEST_DIGITS, rounded
from core.language.tune.rows import row_blocks
from core.language.tune.vector import Constants

__all__ = [
    "FEWEST_DIGITS",
    "Constants",
    "Fitted",
    "Literal",
    "literals",
    "rewritten",
    "rounded",
    "row_blocks",
    "spelt",
    "tune",
]

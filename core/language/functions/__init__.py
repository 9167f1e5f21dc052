"""The functions of the language: one object each, entered into `FUNCTIONS` family by family.

Readers, both evaluators, exported programs, fitting, categories, docs and guide take everything from here.
"""

from core.language.functions import numbers, texts, tokens
from core.language.functions.function import (
    FUNCTIONS,
    Function,
    ScalarCall,
    TensorCall,
    enter,
    needs_lookahead,
)

enter(*numbers.FAMILY, *texts.FAMILY, *tokens.FAMILY)

__all__ = ["FUNCTIONS", "Function", "ScalarCall", "TensorCall", "enter", "needs_lookahead"]

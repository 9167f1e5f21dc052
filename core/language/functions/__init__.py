"""The functions of the language: one object each, entered into `FUNCTIONS` family by family.

Readers, both evaluators, exported programs, fitting, categories, docs and guide take everything from here.
"""

from core.language.functions import numbers, texts, tokens
from core.language.functions.function import (
    FUNCTIONS,
    Function,
    ScalarCall,
    TensorCall,
    needs_lookahead,
)

for _function in (*numbers.FAMILY, *texts.FAMILY, *tokens.FAMILY):
    FUNCTIONS.add(_function)

__all__ = ["FUNCTIONS", "Function", "ScalarCall", "TensorCall", "needs_lookahead"]

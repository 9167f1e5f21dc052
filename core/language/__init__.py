"""The program language: `parse` a program, `evaluate` it as tensors, `reference` for its meaning.

program = parse(source)                    raises ProgramError with every problem
weights = evaluate(program, features)      float32 [sentence, query, key]
Evaluator(features).run(program)           the same for many programs, with failures
reference(program, tokens)                 one sentence, pair by pair: slow, the definition
describe(program)                          features, lookahead, category, one sentence
tune.tune([(program, maps), ...], features)  the same programs with their constants fitted
export.export(program)                     a Python file that runs without this package
"""

from core.language.describe import Description, describe
from core.language.reading.program import ParsedProgram, parse
from core.language.scalar.reference import reference
from core.language.tensor.evaluator import Evaluated, Evaluator, evaluate

__all__ = [
    "Description",
    "Evaluated",
    "Evaluator",
    "ParsedProgram",
    "describe",
    "evaluate",
    "parse",
    "reference",
]

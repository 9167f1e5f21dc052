"""The program language: `parse` a program, `evaluate` it as tensors, `reference` for its meaning.

program = parse(source)                    raises ProgramError with every problem
weights = evaluate(program, features)      float32 [sentence, query, key]
Evaluator(features).run(program)           the same for many programs, with failures
reference(program, tokens)                 one sentence, pair by pair: slow, the definition
trace(program, tokens, query, key)         why one pair has its weight
traced(program, features)                  the same for all pairs of some sentences
lines_of(trace, tokens), conclusion(trace, total)  what it found, in words
without_docstring(source)                  the text of a program that was read, without its docstring
describe(program)                          features, lookahead, category, one sentence
syntax_tree(source)                        Python's own reading of text, by one thread at a time
is_hidden(character), escape(character)    what a program may hold as an escape only, and that
references(program)                        the heads it looks at, and how strongly it follows them
tune.tune([(program, maps), ...], features)  the same programs with their constants fitted
export.export(program)                     a Python file that runs without this package

Its folders, each importing only those before it: values, functions, reading, tensor, scalar, then tune and
export. Other rooms import from this face, from `core.language.tune` and from `core.language.export`.
"""

from core.language.describe import Description, describe
from core.language.factors import LookPower
from core.language.functions import FUNCTIONS, Function, ScalarCall, TensorCall
from core.language.plain import PlainProgram
from core.language.reading.hidden import escape, is_hidden
from core.language.reading.program import ParsedProgram, parse, without_docstring
from core.language.reading.syntax import syntax_tree
from core.language.reasons import conclusion, lines_of
from core.language.references import Reference, references
from core.language.scalar.reference import reference
from core.language.scalar.trace import RETURNED, Contribution, Observation, Trace, row_total, trace
from core.language.tensor.evaluator import Evaluated, Evaluator, evaluate
from core.language.tracing import Step, TracedBatch, traced
from core.language.values.batch import Batch
from core.language.values.looks import Looks, SomeLooks
from core.language.values.scalars import Scalar
from core.language.values.tensors import Value
from core.language.vocabulary import FORMS, MAX_BYTES, MAX_NESTING, MAX_NODES, MAX_NUMBER, Form

__all__ = [
    "FORMS",
    "FUNCTIONS",
    "MAX_BYTES",
    "MAX_NESTING",
    "MAX_NODES",
    "MAX_NUMBER",
    "RETURNED",
    "Batch",
    "Contribution",
    "Description",
    "Evaluated",
    "Evaluator",
    "Form",
    "Function",
    "LookPower",
    "Looks",
    "Observation",
    "ParsedProgram",
    "PlainProgram",
    "Reference",
    "Scalar",
    "ScalarCall",
    "SomeLooks",
    "Step",
    "TensorCall",
    "Trace",
    "TracedBatch",
    "Value",
    "conclusion",
    "describe",
    "escape",
    "evaluate",
    "is_hidden",
    "lines_of",
    "parse",
    "reference",
    "references",
    "row_total",
    "syntax_tree",
    "trace",
    "traced",
    "without_docstring",
]

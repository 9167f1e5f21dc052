"""Functions of tokens: similarity, last, first, count."""

from __future__ import annotations

import numpy as np

from core.language import failures
from core.language.functions.function import FUNCTIONS, Function, ScalarCall, TensorCall
from core.language.functions.lookups import needs_loop, search
from core.language.values.scalars import NO_TOKEN, PairFailed, attribute_of, round32
from core.language.values.tensors import Bounds, Value


def _similarity(call: ScalarCall) -> float:
    """Cosine of two tokens' embeddings; 0 if either token does not exist."""
    first, second = (_vector(call, place) for place in call.places)
    if first is None or second is None:
        return 0.0
    cosine = float(np.dot(first.astype(np.float64), second.astype(np.float64)))
    return round32(min(1.0, max(-1.0, cosine)), call.line, call.name)


def _vector(call: ScalarCall, place: int) -> np.ndarray | None:
    """A token's embedding, None if the token does not exist; raises PairFailed without embeddings."""
    if call.tokens[0].vector is None:
        raise PairFailed(failures.unavailable(call.line))
    return None if place == NO_TOKEN else call.tokens[place].vector


def _similarity_of_tensors(call: TensorCall) -> Value:
    if call.batch.has_vectors:
        return call.batch.similarity(*call.arguments)
    call.fail(call.batch.constant(True), failures.unavailable(call.line))
    return Value(call.batch.constant(0.0), Bounds(0.0, 0.0))


def _matches(call: ScalarCall) -> list[int]:
    """Places of the tokens whose attributes equal all that is wanted, before the token given if one is."""
    end = call.places[0] if call.arguments else len(call.tokens)
    return [
        at
        for at in range(end)
        if all(attribute_of(call.tokens, at, name) == value for name, value in call.wanted.items())
    ]


def _search(call: TensorCall) -> Value:
    elements = call.batch.length**3
    if needs_loop(call.wanted) and elements > call.max_elements:
        call.fail(call.batch.constant(True), failures.budget(call.line, call.name, elements))
        nothing = 0.0 if FUNCTIONS[call.name].result == "number" else -1
        return Value(call.batch.constant(nothing), Bounds(0.0, 0.0))
    return search(call.batch, call.name, call.arguments[0] if call.arguments else None, call.wanted)


FAMILY = (
    Function(
        "similarity",
        ("token", "token"),
        "number",
        "cosine of the model's input embeddings, -1 to 1; 0 if a token does not exist",
        "similarity(q, k)",
        scalar=_similarity,
        tensor=_similarity_of_tensors,
        exported='''
def similarity(a: Token, b: Token) -> Number:
    """The cosine of two tokens' vectors; 0 if either token does not exist."""
    if a == None or b == None:  # noqa: E711
        return Number(0.0)
    cosine = math.fsum(x * y for x, y in zip(a.vector, b.vector, strict=True))
    return Number(builtins.min(1.0, builtins.max(-1.0, cosine)))
''',
        reads_tokens=True,
        tells="likeness",
    ),
    Function(
        "last",
        ("token",),
        "token",
        "the nearest token before the given one that meets all equalities",
        'last(q, pos="VERB")',
        scalar=lambda call: max(_matches(call), default=NO_TOKEN),
        tensor=_search,
        exported='''
def last(token: Token, **wanted: Any) -> Token:
    """The nearest token before the given one with these attributes."""
    return next(reversed(_matches(token.at, wanted)), NOWHERE)
''',
        searches=True,
        reads_tokens=True,
        place="is one",
    ),
    Function(
        "first",
        (),
        "token",
        "the first token of the passage that meets all equalities",
        'first(pos="VERB")',
        scalar=lambda call: min(_matches(call), default=NO_TOKEN),
        tensor=_search,
        exported='''
def first(**wanted: Any) -> Token:
    """The first token of the passage with these attributes."""
    return next(iter(_matches(len(PASSAGE), wanted)), NOWHERE)
''',
        searches=True,
        reads_tokens=True,
        lookahead=True,
        place="is one",
    ),
    Function(
        "count",
        ("token",),
        "number",
        "how many tokens before the given one meet all equalities",
        "count(q, is_punct=True)",
        scalar=lambda call: float(len(_matches(call))),
        tensor=_search,
        exported='''
def count(token: Token, **wanted: Any) -> Number:
    """How many tokens before the given one have these attributes."""
    return Number(len(_matches(token.at, wanted)))
''',
        searches=True,
        reads_tokens=True,
        place="is one",
    ),
)

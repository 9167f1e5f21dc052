"""Any program from its text: one of the closed language, or plain Python that the sandbox runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from core.errors import Problem, ProgramError, SandboxError
from core.features import Features
from core.language import Description, ParsedProgram, PlainProgram, describe, parse
from core.sandbox import Passage, PlainSource, document_of, read_plain, shared
from core.settings import trusts_programs
from core.types import Failure, is_plain

_NO_TEXT = Failure("unavailable", "the passage's text or its tokenizer is not kept here; `score` keeps both")


@lru_cache(maxsize=4096)
def program_of(source: str) -> ParsedProgram:
    """A program whose weights any evaluator gives, read once; raises ProgramError with what is wrong with it.

    What is plain Python cannot be read any further: it is a PlainProgram.
    """
    if not is_plain(source):
        return parse(source)
    try:
        plain = read_plain(source)
    except SandboxError as error:
        raise ProgramError([Problem(1, 1, str(error))]) from error
    return PlainProgram(
        source, plain.docstring or plain.name, plain.id, plain.nodes, partial(_produce, plain)
    )


@lru_cache(maxsize=4096)
def described(source: str) -> Description:
    """What a program's text comes to in a few words; raises ProgramError as `program_of` does."""
    return describe(program_of(source))


def _produce(plain: PlainSource, features: Features, causal: bool) -> Sequence[np.ndarray | Failure]:
    """What it gives for each passage; raises SandboxError where none may be run."""
    reading = features.reading
    tokenizer = None if reading is None else reading.tokenizer()
    if reading is None or tokenizer is None:
        return [_NO_TEXT] * len(features)
    box = shared(tokenizer, trusts_programs())
    texts = reading.texts(features.sentences)
    known = [row for row, text in enumerate(texts) if text is not None]
    passages = [_passage(plain, features, row, texts[row] or "") for row in known]
    found: list[np.ndarray | Failure] = [_NO_TEXT] * len(features)
    for row, result in zip(known, box.run(plain.source, plain.name, passages, causal), strict=True):
        found[row] = result
    return found


def _passage(plain: PlainSource, features: Features, row: int, text: str) -> Passage:
    ids = tuple(features.token_ids[features.span(row)].tolist())
    return Passage(text, ids, document_of(text, features.pipeline) if plain.asks_spacy else None)

"""What `q.` and `k.` can say: every attribute of a token, its type, and whether it looks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "boolean", "text", "token"]
Value = float | bool | str


@dataclass(frozen=True)
class Attribute:
    """One attribute of a token: its type, whether it needs text to the right, and what it means."""

    kind: Kind
    lookahead: bool
    meaning: str


ATTRIBUTES: Mapping[str, Attribute] = {
    "index": Attribute("number", False, "position in the passage, from 0; -1 if there is no such token"),
    "text": Attribute("text", False, "the token's characters without surrounding spaces"),
    "lower": Attribute("text", False, "`text` in lower case"),
    "length": Attribute("number", False, "number of characters in `text`"),
    "is_first": Attribute("boolean", False, "the first token of the passage"),
    "is_punct": Attribute("boolean", False, "only punctuation and symbols"),
    "is_space": Attribute("boolean", False, "only white space"),
    "is_newline": Attribute("boolean", False, "holds a line break"),
    "is_title": Attribute("boolean", False, "starts with a capital, then small letters"),
    "is_upper": Attribute("boolean", False, "all letters are capitals"),
    "is_digit": Attribute("boolean", False, "only digits"),
    "is_word_start": Attribute("boolean", False, "starts a word rather than continuing one"),
    "sentence": Attribute("number", False, "which sentence of the passage, from 0"),
    "sentence_position": Attribute("number", False, "position in its sentence, from 0"),
    "is_sentence_start": Attribute("boolean", False, "the first token of its sentence"),
    "in_quotes": Attribute("boolean", False, "between double quotation marks, or one of them"),
    "pos": Attribute("text", True, "spaCy's coarse part of speech, such as NOUN"),
    "tag": Attribute("text", True, "spaCy's fine part of speech, such as VBD"),
    "dep": Attribute("text", True, "spaCy's dependency label, such as nsubj"),
    "lemma": Attribute("text", True, "dictionary form of the token's word"),
    "entity": Attribute("text", True, "spaCy's entity label, such as PERSON; empty if none"),
    "is_stop": Attribute("boolean", True, "the token's word is a stop word"),
    "word": Attribute("text", True, "the whole word that the token is part of"),
    "head": Attribute("token", True, "first token of the word that this word depends on"),
    "prev": Attribute("token", False, "the token before"),
    "next": Attribute("token", True, "the token after"),
}

DTYPES: Mapping[Kind, Any] = {
    "number": np.float32,
    "boolean": np.bool_,
    "text": np.int32,
    "token": np.int32,
}
_MISSING: Mapping[Kind, Value] = {"number": 0.0, "boolean": False, "text": "", "token": -1}


def missing_value(name: str) -> Value:
    """What attribute `name` is for a token that does not exist."""
    return -1.0 if name in ("index", "sentence", "sentence_position") else _MISSING[ATTRIBUTES[name].kind]

"""The field's words for what programs do, so that they can be searched by them."""

from __future__ import annotations

import re

_BEHAVIOURS = {
    "induction": r"k\.prev\.(\w+) == q\.\1|last\(q, (lower|text|word)=|followed the same",
    "previous token": r"k == q\.prev|q\.index - k\.index (== 1|< 2|<= 1)",
    "nearby local position": r"\*\* (min\(|sqrt\()?\(?q\.index - k\.index|q\.index - k\.index <",
    "first token sink resting place": r"k\.is_first|k\.index == 0",
    "same duplicate token repeated": r"k\.(lower|text|word|lemma) == q\.\1",
    "delimiter punctuation separator": r"k\.is_punct|k\.is_space|\"[.,]\"",
    "coreference pronoun": r"PRON|k\.entity",
    "composition looks at other heads": r"look\(",
}
_PATTERNS = {words: re.compile(pattern) for words, pattern in _BEHAVIOURS.items()}


def behaviours(source: str) -> str:
    """What a program's code, or a sentence about it, has to do with, in small letters."""
    return " ".join(words for words, pattern in _PATTERNS.items() if pattern.search(source))

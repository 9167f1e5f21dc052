"""A token where it stands in its passage. Copied into exported programs: nothing but Python is needed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from core.features.left_context import Context


@dataclass(frozen=True)
class Occurrence:
    """What is known of a token when its attributes are read."""

    at: int  # its place in the passage, from 0
    count: int  # tokens of the passage
    surface: str  # its characters with the white space before
    is_special: bool  # stands for no characters, as "<s>" does
    starts_word: bool
    context: Context  # the sentence and quotation it stands in
    word: Any = None  # spaCy's token; None without the pipeline, or where there is no word
    head: int = -1  # the first token of the word that its word depends on

    @property
    def bare(self) -> str:
        """Its characters without surrounding white space, unless they are nothing else."""
        return self.surface.strip() or self.surface


def is_of_word(character: str) -> bool:
    """Whether it is a letter, a digit, or a mark that combines with the letter before, as in Hindi."""
    return character.isalnum() or (character != "" and unicodedata.category(character)[0] == "M")

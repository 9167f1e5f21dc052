"""Sentences and quotations, read from left to right. Copied into exported programs, as occurrences are."""

from __future__ import annotations

from dataclasses import dataclass

_CLOSING_MARKS = "\"'”’)]}»」』）】》"
_OPENING_QUOTES = "“«「『"
_CLOSING_QUOTES = "”»」』"
_WIDE_ENDS = ("。", "！", "？", "．")  # after which no space stands
_SENTENCE_ENDS = (".", "!", "?", "…", "।", "॥", "؟", "۔", "។", "።", *_WIDE_ENDS)


@dataclass(frozen=True)
class Context:
    """The sentence and quotation that a token stands in."""

    sentence: int  # of the passage, from 0
    position: int  # in its sentence, from 0
    in_quotes: bool  # between double quotation marks, or one of them


class LeftContext:
    """Sentence and quotation state, read from left to right so that it never looks ahead."""

    def __init__(self) -> None:
        self.sentence = 0
        self.position = -1
        self.in_quotes = False
        self.ended = False  # a full stop or line break was seen, and since then only closing marks
        self.new_line = False  # the sentence ended with a line break
        self.is_wide = False  # the sentence ended with a mark after which no space stands
        self.spaced = False  # white space came after the last token that was more than that

    def step(self, surface: str) -> Context:
        """The state at the next token, given its text with surrounding white space."""
        bare = surface.strip()
        after = surface.lstrip()  # without the white space before; all white space counts as before
        before = surface[: len(surface) - len(after)]
        self.spaced = self.spaced or bool(before)
        if "\n" in before:
            self.ended = self.new_line = True
        only_closes = all(character in _CLOSING_MARKS for character in bare)
        is_apart = self.spaced or (self.is_wide and not only_closes)
        begins = is_apart and not bare[:1].islower()
        if bare and self.ended and (self.new_line or begins):
            self.sentence += 1
            self.position = -1
            self.ended = self.new_line = self.is_wide = False
        self.position += 1
        if bare:
            self.spaced = after != bare
        if "\n" in after:
            self.ended = self.new_line = True
        elif bare.rstrip(_CLOSING_MARKS).endswith(_SENTENCE_ENDS):
            self.ended = True
            self.is_wide = bare.rstrip(_CLOSING_MARKS).endswith(_WIDE_ENDS)
        elif not only_closes:
            self.ended = self.is_wide = False
        was_in_quotes = self.in_quotes
        for character in bare:
            if character == '"':
                self.in_quotes = not self.in_quotes
            elif character in _OPENING_QUOTES:
                self.in_quotes = True
            elif character in _CLOSING_QUOTES:
                self.in_quotes = False
        marks = '"' + _OPENING_QUOTES + _CLOSING_QUOTES
        is_quoted = was_in_quotes or self.in_quotes or any(mark in bare for mark in marks)
        return Context(self.sentence, self.position, is_quoted)

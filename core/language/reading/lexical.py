"""Checks made on the text and its tokens before Python's parser sees it.

They keep from the parser whatever could make it fail other than with a SyntaxError (NUL, lone
surrogates, digit floods, bottomless nesting), and whatever could make the text mean something other
than it shows (coding cookies, identifiers that normalise to another name, invisible characters).
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from core.errors import Problem, ProgramError
from core.language.reading.hidden import escape, is_hidden
from core.language.reading.problems import Problems
from core.language.vocabulary import MAX_BYTES, MAX_NESTING, MAX_NODES

_COOKIE = re.compile(r"coding[:=]")
_DECIMAL = re.compile(r"(\d[\d_]*)?\.?[\d_]*([eE][+-]?\d+)?")
_PREFIXED = re.compile(r"([A-Za-z]*)['\"]")
_ESCAPE = re.compile(r"\\([4-7][0-7]{2}|.)", re.DOTALL)
_ESCAPES = frozenset("\n\\'\"abfnrtvx01234567NuU")
_MAX_DIGITS = 30
_MAX_TOKENS = 4 * MAX_NODES  # no program of MAX_NODES nodes needs more words and operators
_LAYOUT = frozenset(
    {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING}
)


def refuse_long(source: str) -> None:
    """Raise ProgramError if a source is too long, before anything looks at each character of it."""
    size = len(source) if len(source) > MAX_BYTES else len(source.encode(errors="replace"))
    if size > MAX_BYTES:
        message = f"the source is {size} bytes; a program has at most {MAX_BYTES}, so shorten it"
        raise ProgramError([Problem(1, 1, message)])


def check_text(problems: Problems) -> None:
    """Characters; nothing else may look at the text if this finds a problem."""
    for line, text in enumerate(problems.lines, 1):
        for column, character in enumerate(text, 1):
            if problem := _bad_character(character):
                problems.add(line, column, problem)


def check_tokens(source: str, problems: Problems) -> bool:
    """Words, numbers, strings and nesting; false if the text must not reach the parser."""
    checker = _TokenChecker(problems)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            checker.check(token)
            if checker.gave_up:
                return False
    except tokenize.TokenError as error:
        message, (line, _) = error.args
        where = "a string" if "string" in message else "a bracket"
        line = min(line, len(problems.lines))
        problems.add(line, 1, f"the program ends inside {where}; close it")
        return False
    except SyntaxError as error:
        problems.add(error.lineno or 1, error.offset or 1, f"{error.msg}; indent a block by four spaces")
        return False
    return True


def _bad_character(character: str) -> str | None:
    if character == "\ufeff":
        return "found a byte order mark; save the source without it"
    if "\ud800" <= character <= "\udfff":
        return f"found a lone surrogate (U+{ord(character):04X}); write plain Unicode text"
    if character == "\0":
        return "found a NUL character; remove it"
    if character == "\f":
        return "found a form feed; use spaces and line breaks only"
    if (character < " " and character != "\t") or character == "\x7f":
        return f"found a control character (U+{ord(character):04X}); remove it"
    if is_hidden(character):
        found = f"found a character that is not shown (U+{ord(character):04X})"
        return f"{found}; in a text write `{escape(character)}`, else remove it"
    return None


class _TokenChecker:
    """Looks at one token after the other; `gave_up` is set where reading on would be unsafe."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.gave_up = False
        self.depth = 0
        self.indents = 0
        self.words = 0
        self.number_end = (0, 0)  # where the last number stopped

    def check(self, token: tokenize.TokenInfo) -> None:
        """Note what is wrong with this token, if anything."""
        name = tokenize.tok_name[token.type]
        if token.type == tokenize.COMMENT:
            self._comment(token)
        elif name.startswith("FSTRING"):  # Python 3.12 and later split them
            self._stop(token, "found an f-string; write plain text in quotes")
        elif token.type == tokenize.STRING:
            self._string(token)
        elif token.type == tokenize.NUMBER:
            self._number(token)
        elif token.type == tokenize.NAME and token.start == self.number_end:
            self._add(token, f"`{token.string}` touches a number; put a space or an operator between them")
        elif not token.string.isascii():
            self._add(token, f"`{token.string}` is not plain ASCII; names are spelt with a-z, 0-9 and _")
        self._nesting(token)
        if token.type not in _LAYOUT and token.type != tokenize.COMMENT and token.string not in "()[]{},:;":
            self.words += 1
            if self.words > _MAX_TOKENS:
                self._stop(token, f"the program is too long: more than {MAX_NODES} nodes; shorten it")

    def _add(self, token: tokenize.TokenInfo, message: str) -> None:
        self.problems.add(token.start[0], token.start[1] + 1, message)

    def _stop(self, token: tokenize.TokenInfo, message: str) -> None:
        self._add(token, message)
        self.gave_up = True

    def _comment(self, token: tokenize.TokenInfo) -> None:
        if token.start[0] <= 2 and _COOKIE.search(token.string):
            self._stop(token, "found a coding cookie; source is always UTF-8, so remove it")

    def _number(self, token: tokenize.TokenInfo) -> None:
        text = token.string
        self.number_end = token.end
        if len(text) > _MAX_DIGITS:
            self._stop(token, f"the number {text[:8]}… has {len(text)} characters; write it shorter")
        elif text[-1] in "jJ":
            self._add(token, f"{text} is a complex number; write a plain one")
        elif not _DECIMAL.fullmatch(text):
            self._add(token, f"{text} is not a decimal number; write it with digits 0 to 9")

    def _string(self, token: tokenize.TokenInfo) -> None:
        match = _PREFIXED.match(token.string)
        prefix = match[1].lower() if match else ""
        if "f" in prefix:
            self._stop(token, "found an f-string; write plain text in quotes")
        elif "b" in prefix:
            self._add(token, "found bytes; write text in quotes, without the b")
        elif prefix in ("", "u"):
            for escape in _bad_escapes(token.string):
                self._stop(token, f"`{escape}` is not an escape in text; write `\\\\` for a backslash")
                break

    def _nesting(self, token: tokenize.TokenInfo) -> None:
        if token.type == tokenize.OP:
            self.depth += (token.string in "([{") - (token.string in ")]}")
        elif token.type == tokenize.INDENT:
            self.indents += 1
        elif token.type == tokenize.DEDENT:
            self.indents -= 1
        if self.depth < 0:
            self._stop(token, f"`{token.string}` closes nothing; remove it or open a bracket before")
        if self.depth + self.indents > MAX_NESTING:
            self._stop(token, f"nested deeper than {MAX_NESTING}; name the parts and combine the names")


def _bad_escapes(literal: str) -> Iterator[str]:
    """Escapes that Python would warn about."""
    for match in _ESCAPE.finditer(literal):
        if match[1] not in _ESCAPES:
            yield match[0]

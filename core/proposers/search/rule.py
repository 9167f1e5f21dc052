"""A rule: when its conditions hold, the weight is multiplied by a constant, perhaps to the power of a law."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.proposers.search.grammar import Part, quoted
from core.proposers.search.looks import FLOOR
from core.proposers.search.phrases import phrase_of_words
from core.types import HeadId

_IS_ONE_TERM = re.compile(r"[\w.]+|\w+\(.*\)")


@dataclass(frozen=True)
class TableOf:
    """What a rule has a constant for each of: values of a text of one token, or distances."""

    subject: str  # "q.tag": as a program writes it
    values: tuple[str, ...] | tuple[int, ...]
    phrase: str  # "by tag"

    def source(self, constants: Sequence[str]) -> str:
        """The table with these constants; others have 1."""
        names = [quoted(value) if isinstance(value, str) else str(value) for value in self.values]
        entries = ", ".join(f"{name}: {constant}" for name, constant in zip(names, constants, strict=True))
        return f"table({self.subject}, {{{entries}}}, 1)"


@dataclass(frozen=True)
class Rule:
    """At most two conditions, and what the constant is raised to (nothing: to 1)."""

    query: Part | None = None  # of `{t}` = q
    key: Part | None = None  # of `{t}` = k
    relation: Part | None = None
    law: Part | None = None
    look: HeadId | None = None  # a head; the law is the logarithm of what it gives, and the constant a power
    table: TableOf | None = None  # a constant for each of its values, in place of one
    query_words: tuple[str, ...] = ()  # texts in lower case, one of which the query has
    key_words: tuple[str, ...] = ()

    @property
    def condition(self) -> str:
        """Source of all conditions together; empty if there is none."""
        parts = [
            self.query.of("q") if self.query else "",
            _membership("q", self.query_words),
            self.key.of("k") if self.key else "",
            _membership("k", self.key_words),
            self.relation.of() if self.relation else "",
        ]
        return " and ".join(part for part in parts if part)

    @property
    def is_law_of_keys(self) -> bool:
        """Whether a constant above 1 works against what the phrase names: its law is small there."""
        return self.law is not None and "k" in self.law.reads

    @property
    def width(self) -> int:
        """How many constants it has."""
        return len(self.table.values) if self.table else 1

    def lines(self, constants: Sequence[str]) -> list[str]:
        """The statements of this rule, as they stand in a program's body."""
        constant = self.table.source(constants) if self.table else constants[0]
        effect = f"weight *= {constant}"
        if self.look:
            effect = f'weight *= (look("{self.look}", q, k) + {FLOOR}) ** {constant}'
        if self.law:
            law = self.law.of()
            effect += f" ** {law}" if _IS_ONE_TERM.fullmatch(law) else f" ** ({law})"
        return [f"if {self.condition}:", f"    {effect}"] if self.condition else [effect]

    def phrase(self) -> str:
        """What the rule favours, if its constant is above 1: "the first token (from punctuation)"."""
        keys = [str(self.look)] if self.look else []
        keys += [part.phrase for part in (self.relation, self.key) if part]
        keys += [phrase_of_words(self.key_words)] if self.key_words else []
        if self.law:
            keys = [", ".join([*keys, self.law.phrase])]
        if self.table:
            keys = [" ".join([*keys, self.table.phrase])]
        queries = [self.query.phrase] if self.query else []
        queries += [phrase_of_words(self.query_words)] if self.query_words else []
        return " among ".join(keys) + (f" (from {queries[0]})" if queries else "")


def _membership(token: str, words: tuple[str, ...]) -> str:
    if not words:
        return ""
    if len(words) == 1:
        return f"{token}.lower == {quoted(words[0])}"
    return f"{token}.lower in {{{', '.join(quoted(word) for word in words)}}}"

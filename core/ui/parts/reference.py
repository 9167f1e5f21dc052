"""The program language as a list to look things up in; attributes and functions come from their tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.features import ATTRIBUTES
from core.language import FORMS, FUNCTIONS, MAX_BYTES, MAX_NODES, MAX_NUMBER


@dataclass(frozen=True)
class Entry:
    """Something that can be written, and what it means."""

    written: str
    meaning: str
    example: str = ""


@dataclass(frozen=True)
class Group:
    """Entries of one sort, with what holds for all of them."""

    title: str
    about: str
    entries: tuple[Entry, ...]


_PROGRAM = '''def attend(q, k):
    """Rest on the first token; look back at the verb."""
    weight = 0.02
    if k.index == 0:
        weight += 0.6
    if q.is_punct and k.pos == "VERB":
        weight += 0.5 * 0.7 ** (q.index - k.index)
    return weight'''
_STATEMENTS = (
    Entry("name = expression", "a local name"),
    Entry("name += number", "also -=, *= and /="),
    Entry("if …: elif …: else:", "every path returns"),
    Entry("return number", "the weight of the pair; True counts as 1, False as 0"),
    Entry("pass", "nothing"),
)
_EXPRESSIONS = (
    Entry("q.attribute, k.attribute", "also in chains", 'q.prev.prev.pos == "VERB"'),
    Entry("+ - * / // % **", "arithmetic of numbers"),
    Entry("== != < <= > >=", "also in chains", "1 <= k.index < 5"),
    Entry("in, not in", "a set, list or tuple of literals", 'k.lower in {"the", "a"}'),
    Entry("== None, != None", "whether there is such a token", "k.prev != None"),
    Entry("and, or, not", "of booleans"),
    Entry("a if condition else b", "the one or the other"),
)
_REFUSED = (
    Entry("imports, loops, lambdas, subscripts, methods, f-strings", "are not part of the language"),
    Entry(f"{MAX_BYTES:,} bytes, {MAX_NODES} nodes, numbers to {MAX_NUMBER:,.0f}", "are its limits"),
)


def language() -> tuple[Group, ...]:
    """The whole of it: how a program looks, what stands in it, attributes, functions, limits."""
    return (
        Group(
            "A program",
            "A function of two tokens: q looks (the query), k is looked at (the key). What it returns is the "
            "pair's weight; each query's weights are divided by their sum, negative ones count as 0.",
            (Entry("attend(q, k)", "is its name, with these parameters.", _PROGRAM),),
        ),
        Group("Statements", "", _STATEMENTS),
        Group("Expressions", "Kinds are checked: number, boolean, text, token.", _EXPRESSIONS),
        Group(
            "Attributes of a token",
            "Where there is no such token, as before the first: index -1, empty text, False.",
            tuple(_attributes()),
        ),
        Group("Functions", "", tuple(_functions())),
        Group("Limits", "", _REFUSED),
    )


def _attributes() -> Iterable[Entry]:
    for name, one in ATTRIBUTES.items():
        yield Entry(name, f"{one.kind}{' · lookahead' * one.lookahead} · {one.meaning}")


def _functions() -> Iterable[Entry]:
    for function in FUNCTIONS.values():
        yield Entry(
            function.signature, f"{function.result} · {function.meaning}", function.example
        )  # fmt: skip
    for name, form in FORMS.items():
        yield Entry(f"{name}({form.parameters})", f"number · {form.meaning}", form.example)

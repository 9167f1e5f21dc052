"""What rules can say: conditions on the query, on the key and on both, and laws of distance.

Generated from the vocabulary of the language and from what occurs in the training split. Any two
conditions can be joined, so a few hundred parts make tens of thousands of candidate rules.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.features import ATTRIBUTES, Features, Kind
from core.language import escape, is_hidden
from core.proposers.search.phrases import phrase_of_flag, phrase_of_number, phrase_of_text, via

_LEAST_COUNT = 8  # tokens of train that a value must occur on
_VALUES = {"lower": 40, "tag": 24, "dep": 30, "pos": 20, "entity": 6}  # most frequent ones of a text
_OTHER_VALUES = 6  # of any further text that is not the token's own words
_NEIGHBOUR_VALUES = {"pos": 8, "lower": 6}  # of the token before
_FIRST_VALUES = 12  # most frequent texts whose first occurrence is a condition
_SMALL = (0, 1, 2)
_BOUNDS = (2, 4, 8, 16)
_DISTANCES = range(2, 6)
_REACHES = (3, 4, 6, 8, 12, 16, 24, 32)
_CAPS = (4, 8, 16)
_SIMILARITIES = (0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Part:
    """A condition or a law, and what a person calls it.

    A condition on one token, `q` or `k`, is said in pieces between which the token's name stands.
    """

    pieces: tuple[str, ...]
    phrase: str

    def of(self, token: str = "") -> str:
        """Its source; of the token named."""
        return token.join(self.pieces)

    @property
    def is_of_neighbour(self) -> bool:
        """Whether a condition on one token is on the one before or after it."""
        return self.pieces[-1].startswith((".prev", ".next"))

    @property
    def reads(self) -> frozenset[str]:
        """Which of the two tokens the source of a relation or a law names."""
        return frozenset(token for token in ("q", "k") if re.search(rf"\b{token}\b", self.of()))


@dataclass(frozen=True)
class Compound(Part):
    """Two conditions on one token."""

    both: tuple[Part, Part]


def compound(one: Part, other: Part) -> Compound:
    """A token that meets both conditions; the second is of the token before or after, if one is."""
    joined = f"{one.pieces[-1]} and {other.pieces[0]}"
    pieces = (*one.pieces[:-1], joined, *other.pieces[1:])
    phrase = f"{one.phrase} that are {other.phrase}"
    for word, place in (("what follows ", "after"), ("what precedes ", "before")):
        if other.phrase.startswith(word):
            phrase = f"{one.phrase} {place} {other.phrase.removeprefix(word)}"
    return Compound(pieces, phrase, (one, other))


def pairwise(source: str, phrase: str) -> Part:
    """A part that names both tokens itself."""
    return Part((source,), phrase)


SELF, PREVIOUS = pairwise("k == q", "itself"), pairwise("k == q.prev", "the token before")
FIRST = Part(("", ".is_first"), phrase_of_flag("is_first"))


@dataclass(frozen=True)
class Grammar:
    """The parts that rules are put together from."""

    tokens: tuple[Part, ...]  # conditions on one token, of either
    relations: tuple[Part, ...]  # conditions on the query and the key together
    laws: tuple[Part, ...]  # numbers that a constant is raised to
    sink_laws: tuple[Part, ...]  # numbers that depend on the query only; for the first token

    @property
    def rules(self) -> int:
        """How many rules of at most two conditions there are, not counting sets of words."""
        tokens, relations = len(self.tokens), len(self.relations)
        return tokens + relations + tokens**2 + 2 * tokens * relations + len(self.laws) + len(self.sink_laws)


def grammar_of(train: Features, is_causal: bool) -> Grammar:
    """Everything that can be said about these sentences."""
    return Grammar(
        tokens=tuple(_token_conditions(train, is_causal)),
        relations=tuple(_relations(train, is_causal)),
        laws=tuple(_laws(is_causal)),
        sink_laws=(
            pairwise("sqrt(q.index)", "more so further on"),
            pairwise("min(q.index, 8)", "more so after a few tokens"),
        ),
    )


def _token_conditions(train: Features, is_causal: bool) -> Iterator[Part]:
    for path in ("", ".prev", ".next"):
        for name in _names_of("boolean"):
            yield Part(("", f"{path}.{name}"), via(path, phrase_of_flag(name)))
    for name in _names_of("number"):
        for number in _SMALL:
            yield Part(("", f".{name} == {number}"), phrase_of_number(name, "==", number))
        for number in _BOUNDS:
            yield Part(("", f".{name} < {number}"), phrase_of_number(name, "<", number))
    for path, wanted in (("", _values()), (".prev", _NEIGHBOUR_VALUES), (".next", {"pos": 6})):
        for name, most in wanted.items():
            for value in _frequent(train, name, most):
                yield Part(("", f"{path}.{name} == {quoted(value)}"), via(path, phrase_of_text(name, value)))
    if not is_causal:
        yield Part(("", ".next == None"), "the last token")
    yield from _firsts(train)
    yield Part(("count(", ", lower=", ".lower) > 0"), "words seen before")


def _firsts(train: Features) -> Iterator[Part]:
    """The first token of a kind in a passage, which draws many heads as the very first token does."""
    for name in _repeating_flags():
        pieces = ("", f".{name} and count(", f", {name}=True) == 0")
        yield Part(pieces, f"the first of {phrase_of_flag(name)}")
    for value in _frequent(train, "lower", _FIRST_VALUES):
        pieces = ("", f".lower == {quoted(value)} and count(", f", lower={quoted(value)}) == 0")
        yield Part(pieces, f"the first of {phrase_of_text('lower', value)}")


def _names_of(kind: Kind) -> list[str]:
    """The attributes of a kind."""
    return [name for name, attribute in ATTRIBUTES.items() if attribute.kind == kind]


def _values() -> dict[str, int]:
    """The texts whose values are conditions, and how many of the most frequent."""
    others = [name for name in _names_of("text") if ATTRIBUTES[name].aspect != "word"]
    return _VALUES | {name: _OTHER_VALUES for name in others if name not in _VALUES}


def _repeating_flags() -> list[str]:
    """The conditions that more than one token of a passage can meet."""
    return [name for name in _names_of("boolean") if name != "is_first"]


def _frequent(train: Features, name: str, most: int) -> list[str]:
    """The most frequent values of a text that occur often enough."""
    counts = Counter(train.texts[at] for at in train.columns[name])
    return [value for value, count in counts.most_common(most) if value and count >= _LEAST_COUNT]


def _relations(train: Features, is_causal: bool) -> Iterator[Part]:
    yield from _distances(is_causal)
    yield from _same_texts()
    yield from _searches(train)
    yield pairwise("k.sentence == q.sentence", "its own sentence")
    yield pairwise("k.sentence == q.sentence - 1", "the sentence before")
    yield pairwise("k.in_quotes == q.in_quotes", "the same side of quotation marks")
    yield pairwise(
        "k.sentence_position == q.sentence_position and k != q", "the same place in other sentences"
    )
    yield pairwise("k == q.head", "the word it depends on")
    yield pairwise("k == q.head.head", "the word that its head depends on")
    yield pairwise("k.head == q and k != q", "the words that depend on it")
    yield pairwise("k.head == q.head and k != q", "words that depend on the same word")
    yield pairwise("k.index * 2 < q.index", "the first half of what came before")
    for least in _SIMILARITIES:
        yield pairwise(f"similarity(q, k) > {least}", "words of like meaning")


def _distances(is_causal: bool) -> Iterator[Part]:
    yield SELF
    yield PREVIOUS
    for d in _DISTANCES:
        yield pairwise(f"q.index - k.index == {d}", f"the token {d} back")
    distance = _distance(is_causal)
    for reach in _REACHES:
        yield pairwise(f"{distance} < {reach}", f"the nearest {reach} tokens")
    if not is_causal:
        yield pairwise("k == q.next", "the token after")
        for d in _DISTANCES:
            yield pairwise(f"k.index - q.index == {d}", f"the token {d} ahead")
        yield pairwise("k.index > q.index", "what comes after")


def _same_texts() -> Iterator[Part]:
    for name in ("lower", "lemma", "pos", "tag", "dep", "word"):
        yield pairwise(f"k.{name} == q.{name} and k != q", f"tokens of the same {_NAMES[name]}")
    yield pairwise('k.entity == q.entity and k.entity != "" and k != q', "names of the same kind")
    yield pairwise("k.lower == q.lower", "the same token")
    yield pairwise("k.word == q.word", "its own word")
    for key, query in (("prev", ""), ("next", ""), ("prev.prev", ""), ("prev", "prev"), ("next", "next")):
        k, q = (
            ".".join(part for part in (token, path) if part) for token, path in (("k", key), ("q", query))
        )
        for name in ("lower", "pos", "tag"):
            phrase = f"keys whose {_side(key)} has the {_NAMES[name]} of the {_side(query) or 'query'}"
            if not (name == "lower" and (key, query) == ("prev", "")):
                yield pairwise(f"{k}.{name} == {q}.{name} and k != q", phrase)
    yield pairwise("k.prev.lower == q.lower and k != q", "what followed the same word before")
    yield pairwise(
        "k.prev.lower == q.lower and k.prev.prev.lower == q.prev.lower and k != q",
        "what followed the same two words before",
    )


def _searches(train: Features) -> Iterator[Part]:
    for name in _repeating_flags():
        found = f"last(q, {name}=True)"
        yield pairwise(f"k == {found}", f"the latest of {phrase_of_flag(name)}")
        yield pairwise(f"k.prev == {found}", f"what follows the latest of {phrase_of_flag(name)}")
    for name in ("lower", "pos", "tag", "dep"):
        yield pairwise(f"k == last(q, {name}=q.{name})", f"the latest token of the same {_NAMES[name]}")
    yield pairwise("k.prev == last(q, lower=q.lower)", "what followed the same word last time")
    for value in _frequent(train, "pos", 10):
        yield pairwise(f"k == last(q, pos={quoted(value)})", f"the latest of {phrase_of_text('pos', value)}")


def _laws(is_causal: bool) -> Iterator[Part]:
    distance = _distance(is_causal)
    yield pairwise(distance, "what is near")
    yield pairwise(f"sqrt({distance})", "what is near")
    for cap in _CAPS:
        yield pairwise(f"min({distance}, {cap})", "what is near")
    yield pairwise("k.index", "what comes early")
    yield pairwise("sqrt(k.index)", "what comes early")
    yield pairwise("k.length", "short tokens")
    yield pairwise("k.sentence_position", "the beginnings of sentences")
    yield pairwise("abs(q.sentence - k.sentence)", "nearby sentences")
    yield pairwise("count(k, lower=k.lower)", "words that are new")
    yield pairwise("1 - similarity(q, k)", "words of like meaning")


def quoted(text: str) -> str:
    """A text as a literal of the language; what a screen does not show is written as an escape."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(escape(one) if is_hidden(one) else one for one in written)


def _distance(is_causal: bool) -> str:
    return "q.index - k.index" if is_causal else "abs(q.index - k.index)"


def _side(path: str) -> str:
    return {"": "", "prev": "token before", "next": "token after", "prev.prev": "token two before"}[path]


_NAMES = {
    "lower": "text",
    "lemma": "lemma",
    "pos": "part of speech",
    "tag": "tag",
    "dep": "dependency",
    "word": "word",
}

"""What a person calls the tokens that a condition holds of, for docstrings: as their attribute says."""

from __future__ import annotations

from collections.abc import Mapping

from core.features import ATTRIBUTES
from core.language import is_hidden

_MARKS: Mapping[str, str] = {"\n": "line breaks", " ": "spaces", '"': "quotation marks"}


def phrase_of_flag(name: str) -> str:
    """Tokens with a true attribute: "punctuation"."""
    return ATTRIBUTES[name].phrase or f"tokens that meet {name}"


def phrase_of_text(name: str, value: str) -> str:
    """Tokens with a text: "verbs", "the word and"."""
    if name == "lower":
        return _MARKS.get(value.rstrip(" ") or " ") or (f'"{value}"' if _can_be_shown(value) else "a mark")
    attribute = ATTRIBUTES[name]
    phrase = attribute.names.get(value) or attribute.phrase.format(value)
    return phrase or f"tokens whose {name} is {value}"


def _can_be_shown(value: str) -> bool:
    return value.isprintable() and '"' not in value and not any(map(is_hidden, value))


def phrase_of_number(name: str, comparison: str, value: int) -> str:
    """Tokens whose number is equal to or below a bound: "the first 4 tokens"."""
    attribute = ATTRIBUTES[name]
    if comparison == "<":
        return attribute.below.format(value) or f"tokens whose {name} is below {value}"
    return attribute.phrase.format(value) or f"tokens whose {name} is {value}"


def via(path: str, phrase: str) -> str:
    """Tokens beside such tokens: "what follows punctuation"."""
    return {"": phrase, ".prev": f"what follows {phrase}", ".next": f"what precedes {phrase}"}[path]


def phrase_of_words(words: tuple[str, ...]) -> str:
    """Tokens among a few words: `"the", "a" and others`."""
    named = [phrase_of_text("lower", word) for word in words if word.isprintable() and '"' not in word]
    if len(named) < 2:
        return "a few words"
    return f"{named[0]}, {named[1]} and the like" if len(words) > 2 else f"{named[0]} and {named[1]}"

"""What a person calls the tokens that a condition holds of, for docstrings."""

from __future__ import annotations

from collections.abc import Mapping

_FLAGS: Mapping[str, str] = {
    "is_first": "the first token",
    "is_punct": "punctuation",
    "is_space": "white space",
    "is_newline": "line breaks",
    "is_title": "capitalised words",
    "is_upper": "words in capitals",
    "is_digit": "digits",
    "is_word_start": "starts of words",
    "is_sentence_start": "starts of sentences",
    "in_quotes": "quoted text",
    "is_stop": "function words",
}
_PARTS_OF_SPEECH: Mapping[str, str] = {
    "ADJ": "adjectives",
    "ADP": "prepositions",
    "ADV": "adverbs",
    "AUX": "auxiliaries",
    "CCONJ": "conjunctions",
    "DET": "determiners",
    "INTJ": "interjections",
    "NOUN": "nouns",
    "NUM": "numbers",
    "PART": "particles",
    "PRON": "pronouns",
    "PROPN": "names",
    "PUNCT": "punctuation marks",
    "SCONJ": "subordinators",
    "SPACE": "spaces",
    "SYM": "symbols",
    "VERB": "verbs",
    "X": "unclassified words",
}
_MARKS: Mapping[str, str] = {"\n": "line breaks", " ": "spaces", '"': "quotation marks"}


def phrase_of_flag(name: str) -> str:
    """Tokens with a true attribute: "punctuation"."""
    return _FLAGS.get(name, name)


def phrase_of_text(name: str, value: str) -> str:
    """Tokens with a text: "verbs", "the word and"."""
    if name == "lower":
        return _MARKS.get(value.rstrip(" ") or " ") or (
            f'"{value}"' if value.isprintable() and '"' not in value else "a mark"
        )
    if name == "pos":
        return _PARTS_OF_SPEECH.get(value, f"{value} words")
    if name == "tag":
        return f"words tagged {value}"
    return f"{value} names" if name == "entity" else f"words in the role {value}"


def phrase_of_number(name: str, comparison: str, value: int) -> str:
    """Tokens whose number is equal to or below a bound: "the first 4 tokens"."""
    if comparison == "<":
        return {
            "index": f"the first {value} tokens",
            "length": f"tokens of fewer than {value} characters",
            "sentence": f"the first {value} sentences",
            "sentence_position": f"the first {value} tokens of a sentence",
        }[name]
    return {
        "index": f"token {value}",
        "length": f"tokens of length {value}",
        "sentence": f"sentence {value}",
        "sentence_position": f"token {value} of a sentence",
    }[name]


def via(path: str, phrase: str) -> str:
    """Tokens beside such tokens: "what follows punctuation"."""
    return {"": phrase, ".prev": f"what follows {phrase}", ".next": f"what precedes {phrase}"}[path]


def phrase_of_words(words: tuple[str, ...]) -> str:
    """Tokens among a few words: `"the", "a" and others`."""
    named = [phrase_of_text("lower", word) for word in words if word.isprintable() and '"' not in word]
    if len(named) < 2:
        return "a few words"
    return f"{named[0]}, {named[1]} and the like" if len(words) > 2 else f"{named[0]} and {named[1]}"

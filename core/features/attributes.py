"""What `q.` and `k.` can say: one entry for every attribute of a token.

All else follows from an entry: annotation, the stored table's column and what stands in where an old table
lacks it, the language, exported programs, the search's conditions and its phrases, categories, the guide.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from core.features.kinds import ATTRIBUTES, attribute
from core.features.occurrence import Occurrence

__all__ = ["ATTRIBUTES"]

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


@attribute(
    "index",
    "number",
    "position in the passage, from 0; -1 if there is no such token",
    missing=-1.0,
    aspect="place",
    phrase="token {}",
    below="the first {} tokens",
)
def _index(token: Occurrence) -> int:
    return token.at


@attribute("text", "text", "the token's characters without surrounding spaces", aspect="word")
def _text(token: Occurrence) -> str:
    return token.bare


@attribute("lower", "text", "`text` in lower case", aspect="word")
def _lower(token: Occurrence) -> str:
    return token.bare.lower()


@attribute(
    "length",
    "number",
    "number of characters in `text`",
    phrase="tokens of length {}",
    below="tokens of fewer than {} characters",
)
def _length(token: Occurrence) -> int:
    return len(token.bare)


@attribute("is_first", "boolean", "the first token of the passage", phrase="the first token")
def _is_first(token: Occurrence) -> bool:
    return token.at == 0


@attribute("is_punct", "boolean", "only punctuation and symbols", phrase="punctuation")
def _is_punct(token: Occurrence) -> bool:
    return (
        not token.is_special
        and bool(token.bare)
        and all(unicodedata.category(c)[0] in "PS" for c in token.bare)
    )


@attribute("is_space", "boolean", "only white space", phrase="white space")
def _is_space(token: Occurrence) -> bool:
    return not token.is_special and token.bare.isspace()


@attribute("is_newline", "boolean", "holds a line break", phrase="line breaks")
def _is_newline(token: Occurrence) -> bool:
    return not token.is_special and "\n" in token.surface


@attribute("is_title", "boolean", "starts with a capital, then small letters", phrase="capitalised words")
def _is_title(token: Occurrence) -> bool:
    return not token.is_special and token.bare.istitle()


@attribute("is_upper", "boolean", "all letters are capitals", phrase="words in capitals")
def _is_upper(token: Occurrence) -> bool:
    return not token.is_special and token.bare.isupper()


@attribute("is_digit", "boolean", "only digits", phrase="digits")
def _is_digit(token: Occurrence) -> bool:
    return not token.is_special and token.bare.isdigit()


@attribute("is_word_start", "boolean", "starts a word rather than continuing one", phrase="starts of words")
def _is_word_start(token: Occurrence) -> bool:
    return token.starts_word


@attribute(
    "sentence",
    "number",
    "which sentence of the passage, from 0",
    missing=-1.0,
    aspect="place",
    phrase="sentence {}",
    below="the first {} sentences",
)
def _sentence(token: Occurrence) -> int:
    return token.context.sentence


@attribute(
    "sentence_position",
    "number",
    "position in its sentence, from 0",
    missing=-1.0,
    aspect="place",
    phrase="token {} of a sentence",
    below="the first {} tokens of a sentence",
)
def _sentence_position(token: Occurrence) -> int:
    return token.context.position


@attribute("is_sentence_start", "boolean", "the first token of its sentence", phrase="starts of sentences")
def _is_sentence_start(token: Occurrence) -> bool:
    return token.context.position == 0


@attribute("in_quotes", "boolean", "between double quotation marks, or one of them", phrase="quoted text")
def _in_quotes(token: Occurrence) -> bool:
    return token.context.in_quotes


@attribute(
    "pos",
    "text",
    "spaCy's coarse part of speech, such as NOUN",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
    phrase="{} words",
    names=_PARTS_OF_SPEECH,
)
def _pos(token: Occurrence) -> str:
    return str(token.word.pos_)


@attribute(
    "tag",
    "text",
    "spaCy's fine part of speech, such as VBD",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
    phrase="words tagged {}",
)
def _tag(token: Occurrence) -> str:
    return str(token.word.tag_)


@attribute(
    "dep",
    "text",
    "spaCy's dependency label, such as nsubj",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
    phrase="words in the role {}",
)
def _dep(token: Occurrence) -> str:
    return str(token.word.dep_)


@attribute(
    "lemma", "text", "dictionary form of the token's word", lookahead=True, from_parser=True, aspect="word"
)
def _lemma(token: Occurrence) -> str:
    return str(token.word.lemma_)


@attribute(
    "entity",
    "text",
    "spaCy's entity label, such as PERSON; empty if none",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
    phrase="{} names",
)
def _entity(token: Occurrence) -> str:
    return str(token.word.ent_type_)


@attribute(
    "is_stop",
    "boolean",
    "the token's word is a stop word",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
    phrase="function words",
)
def _is_stop(token: Occurrence) -> bool:
    return bool(token.word.is_stop)


@attribute(
    "word",
    "text",
    "the whole word that the token is part of",
    lookahead=True,
    from_parser=True,
    aspect="word",
)
def _word(token: Occurrence) -> str:
    return str(token.word.text)


@attribute(
    "head",
    "token",
    "first token of the word that this word depends on",
    lookahead=True,
    from_parser=True,
    aspect="grammar",
)
def _head(token: Occurrence) -> int:
    return token.head


@attribute("prev", "token", "the token before", aspect="place")
def _prev(token: Occurrence) -> int:
    return token.at - 1


@attribute("next", "token", "the token after", aspect="place", lookahead=True)
def _next(token: Occurrence) -> int:
    return token.at + 1 if token.at + 1 < token.count else -1

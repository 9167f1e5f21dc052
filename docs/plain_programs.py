"""Twenty attention programs in plain Python, in the shape that other people publish theirs in.

Each takes a sentence and the model's tokenizer, and gives a name and a matrix [query, key]. Take them in with

    python -m core import docs/plain_programs.py

and they are scored on every head, in a process that can do no harm (docs/limits.md). Weights below 0 count as
0, those of later tokens are dropped where the model reads from left to right, and rows are made to sum to 1.
"""

from __future__ import annotations

import re
import string
from collections import Counter

import numpy as np
import spacy
from transformers import PreTrainedTokenizerBase

Pattern = tuple[str, np.ndarray]
ARTICLES = {"a", "an", "the"}
QUOTES = {'"', "'", "``", "''", "“", "”", "‘", "’"}


def pieces(sentence: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The sentence's tokens as text, without the mark of a space before."""
    ids = tokenizer(sentence)["input_ids"]
    return [tokenizer.decode([one]).strip() for one in ids]


def blank(sentence: str, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """An empty matrix of the sentence's size."""
    n = len(tokenizer(sentence, return_tensors="pt").input_ids[0])
    return np.zeros((n, n))


def words_of(sentence: str, tokenizer: PreTrainedTokenizerBase) -> list[object]:
    """spaCy's word under each token; None where there is none."""
    document = spacy.load("en_core_web_sm")(sentence)
    offsets = tokenizer(sentence, return_offsets_mapping=True)["offset_mapping"]
    found: list[object] = []
    for start, end in offsets:
        inside = [word for word in document if word.idx < end and start < word.idx + len(word.text)]
        found.append(inside[0] if inside else None)
    return found


def first_token(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Every token looks at the first."""
    out = blank(sentence, tokenizer)
    out[:, 0] = 1
    return "First Token", out


def previous_token(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Every token looks at the one before."""
    out = blank(sentence, tokenizer)
    for i in range(len(out)):
        out[i, max(i - 1, 0)] = 1
    return "Previous Token", out


def itself(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Every token looks at itself."""
    return "Itself", np.eye(len(blank(sentence, tokenizer)))


def two_back(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Every token looks at the one two places before."""
    return "Two Back", np.eye(len(blank(sentence, tokenizer)), k=-2)


def recent(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """The nearer, the more: half the weight with every step back."""
    n = len(blank(sentence, tokenizer))
    distance = np.arange(n)[:, None] - np.arange(n)
    return "Recent Tokens", np.where(distance >= 0, 0.5 ** np.maximum(distance, 0), 0)


def uniform(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """All tokens alike."""
    return "Uniform", blank(sentence, tokenizer) + 1


def last_token(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Every token looks at the last: something only an encoder can do."""
    out = blank(sentence, tokenizer)
    out[:, -1] = 1
    return "Last Token", out


def induction(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at what came after the same token the last time."""
    ids = tokenizer.encode(sentence)
    out = blank(sentence, tokenizer)
    out[:, 0] = 0.1
    for i, token in enumerate(ids):
        for j in range(i - 1, -1, -1):
            if ids[j] == token:
                out[i, j + 1] = 1
                break
    return "Induction", out


def same_token(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at every place of the same token."""
    ids = np.array(tokenizer.encode(sentence))
    return "Same Token", (ids[:, None] == ids).astype(float)


def rare_tokens(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at tokens that the sentence holds once."""
    texts = pieces(sentence, tokenizer)
    counts = Counter(texts)
    out = blank(sentence, tokenizer)
    out[:] = [1 / counts[text] ** 2 for text in texts]
    return "Rare Tokens", out


def punctuation(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at punctuation, and at the first token where there is none yet."""
    texts = pieces(sentence, tokenizer)
    out = blank(sentence, tokenizer)
    out[:, 0] = 0.05
    for j, text in enumerate(texts):
        if text and all(character in string.punctuation for character in text):
            out[:, j] = 1
    return "Punctuation", out


def last_comma(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at the nearest comma before."""
    out = blank(sentence, tokenizer)
    commas: list[int] = []
    for i, text in enumerate(pieces(sentence, tokenizer)):
        out[i, commas[-1] if commas else 0] = 1
        if text == ",":
            commas.append(i)
    return "Last Comma", out


def quotes(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Within quotation marks, looks at the mark that opened them."""
    out = blank(sentence, tokenizer)
    opened = None
    for i, text in enumerate(pieces(sentence, tokenizer)):
        if text in QUOTES:
            opened = i if opened is None else None
        out[i, opened or 0] = 1
    return "Open Quote", out


def articles(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """The word after an article looks back at it; others at the first token."""
    texts = [text.lower() for text in pieces(sentence, tokenizer)]
    out = blank(sentence, tokenizer)
    for i in range(len(texts)):
        out[i, i - 1 if i and texts[i - 1] in ARTICLES else 0] = 1
    return "Articles", out


def numbers(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at numbers."""
    out = blank(sentence, tokenizer)
    out[:, 0] = 0.1
    for j, text in enumerate(pieces(sentence, tokenizer)):
        if re.fullmatch(r"\d+([.,]\d+)?", text):
            out[:, j] += 1
    return "Numbers", out


def capitals(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at tokens that begin with a capital."""
    out = blank(sentence, tokenizer)
    for j, text in enumerate(pieces(sentence, tokenizer)):
        out[:, j] = 1 if re.match(r"[A-Z]", text) else 0.02
    return "Capitals", out


def sentence_start(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at the first token after the last full stop."""
    out = blank(sentence, tokenizer)
    start = 0
    for i, text in enumerate(pieces(sentence, tokenizer)):
        out[i, start] = 1
        if text in {".", "!", "?"} and i + 1 < len(out):
            start = i + 1
    return "Sentence Start", out


def last_verb(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at the nearest verb before, as spaCy reads it."""
    out = blank(sentence, tokenizer)
    verb = 0
    for i, word in enumerate(words_of(sentence, tokenizer)):
        out[i, verb] = 1
        if word is not None and word.pos_ == "VERB":
            verb = i
    return "Last Verb", out


def syntactic_head(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at the word that a word depends on, where that came before."""
    words = words_of(sentence, tokenizer)
    place = {word.i: i for i, word in reversed(list(enumerate(words))) if word is not None}
    out = blank(sentence, tokenizer)
    for i, word in enumerate(words):
        head = 0 if word is None else place.get(word.head.i, 0)
        out[i, head if head <= i else 0] = 1
    return "Syntactic Head", out


def entity(sentence: str, tokenizer: PreTrainedTokenizerBase) -> Pattern:
    """Looks at names that spaCy finds."""
    out = blank(sentence, tokenizer)
    out[:, 0] = 0.1
    for j, word in enumerate(words_of(sentence, tokenizer)):
        if word is not None and word.ent_type_:
            out[:, j] += 1
    return "Entities", out

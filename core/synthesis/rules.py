"""The rules that first programs are made of: multiplicative factors on a key's weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SINKS = (1, 6, 24, 96, 400)  # how much the first token outweighs an ordinary one
STRENGTHS = (4, 16, 64)
DECAYS = (0.5, 0.7, 0.85, 0.95)  # per token of distance
_PAIRED_STRENGTH = 8  # of a condition that is combined with a decay

_CONDITIONS = {
    "k == q": "stays on the token itself",
    "k == q.prev": "looks at the token before",
    "q.index - k.index == 2": "looks two tokens back",
    "q.index - k.index == 3": "looks three tokens back",
    "k.lower == q.lower and k != q": "looks at the same word elsewhere",
    "k.prev.lower == q.lower and k != q": "looks at what followed the same word before",
    "k.word == q.word and k != q": "looks at the rest of its own word",
    "k == q.head": "looks at the word it depends on",
    "k.head == q and k != q": "looks at the words that depend on it",
    "k.sentence == q.sentence": "stays in its sentence",
    "k.is_sentence_start": "looks at the start of a sentence",
    "k.is_punct": "looks at punctuation",
    "k.is_newline": "looks at line breaks",
    "k.is_title": "looks at capitalised words",
    "k.is_digit": "looks at digits",
    "k.is_stop": "looks at function words",
    "k.in_quotes": "looks at quoted text",
    'k.text in {".", "!", "?"}': "looks at the ends of sentences",
    'k.text == ","': "looks at commas",
    'k.pos == "NOUN"': "looks at nouns",
    'k.pos == "VERB"': "looks at verbs",
    'k.pos == "PROPN"': "looks at names",
    'k.pos == "PRON"': "looks at pronouns",
    'k.pos == "ADJ"': "looks at adjectives",
    'k.pos in {"ADP", "DET"}': "looks at prepositions and determiners",
}
_BIDIRECTIONAL_CONDITIONS = {
    "k == q.next": "looks at the token after",
    "k.index - q.index == 2": "looks two tokens ahead",
    "k.next == None": "looks at the last token",
}
_WITH_DECAY = (
    "k == q",
    "k == q.prev",
    "k.lower == q.lower and k != q",
    "k.is_punct",
    "k.sentence == q.sentence",
)


@dataclass(frozen=True)
class Candidate:
    """A program as its parts: a sink on the first token, one condition, a decay with distance."""

    sink: float = 1
    condition: str = ""
    strength: float = 1
    decay: float = 1

    def source(self, is_causal: bool) -> str:
        """The program's text, its docstring true of it."""
        lines = ["def attend(q, k):", f'    """{self._summary(is_causal)}"""', "    weight = 1.0"]
        if self.sink != 1:
            lines += ["    if k.is_first:", f"        weight *= {self.sink}"]
        if self.condition:
            lines += [f"    if {self.condition}:", f"        weight *= {self.strength}"]
        if self.decay != 1:
            distance = "q.index - k.index" if is_causal else "abs(q.index - k.index)"
            lines.append(f"    weight *= {self.decay} ** ({distance})")
        return "\n".join([*lines, "    return weight", ""])

    def _summary(self, is_causal: bool) -> str:
        meanings = _conditions(is_causal)
        parts = ["rests on the first token"] if self.sink != 1 else []
        parts += [meanings[self.condition]] if self.condition else []
        parts += ["prefers what is near"] if self.decay != 1 else []
        text = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
        return text[0].upper() + text[1:] + "."


def candidates(is_causal: bool) -> Iterator[Candidate]:
    """Every candidate: each sink alone, with one condition, with one decay, and with some pairs of both."""
    conditions = _conditions(is_causal)
    for sink in SINKS:
        if sink != 1:
            yield Candidate(sink)
        for decay in DECAYS:
            yield Candidate(sink, decay=decay)
        for condition in conditions:
            for strength in STRENGTHS:
                yield Candidate(sink, condition, strength)
        for condition in _WITH_DECAY:
            for decay in DECAYS:
                yield Candidate(sink, condition, _PAIRED_STRENGTH, decay)


def _conditions(is_causal: bool) -> dict[str, str]:
    return _CONDITIONS if is_causal else _CONDITIONS | _BIDIRECTIONAL_CONDITIONS

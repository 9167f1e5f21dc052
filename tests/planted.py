"""A small head with a plan: eight written passages, what a known program attends to on them, and talk."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from core.features import Features
from core.language import Evaluator, parse
from core.proposers.llm.calls import Asker
from core.proposers.llm.conversation import Outcome, converse
from core.proposers.llm.limits import TalkLimits
from core.proposers.llm.shown import HeadData
from core.scoring import BASELINES
from core.types import HeadId
from tests.language_cases import build, sentence

PLAN = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight *= 12
    if q.is_punct and k.pos == "VERB":
        weight *= 40
    if k.lower == "the":
        weight *= 7
    return weight
"""
_PASSAGES = (
    "The cat saw the dog , and ran .",
    "Lily took the ball . It was red !",
    "A fox , quick and thin , crossed the road .",
    "The old king slept , the queen read .",
    "Tom found the key in the drawer .",
    "Birds sing when the sun comes up !",
    "We ate , we drank , we left the house .",
    "The rain fell on the roof , the door .",
)
_VERBS = frozenset({"saw", "ran", "took", "was", "crossed", "slept", "read", "found"}) | frozenset(
    {"sing", "comes", "ate", "drank", "left", "fell"}
)
HEAD = HeadId(3, 7)
PARSED_BASELINES = {name: parse(source) for name, source in BASELINES.items()}


def features() -> Features:
    """The passages as tokens, with two parts of speech."""
    rows = []
    for text in _PASSAGES:
        words = text.split()
        pos = ["VERB" if word in _VERBS else "PUNCT" if word in ",.!" else "NOUN" for word in words]
        rows.append(sentence(text, pos=pos))
    found = build(*rows)
    return replace(found, surfaces=tuple(f" {text}" for text in found.surfaces))


@cache
def head(at: HeadId = HEAD, is_causal: bool = True) -> HeadData:
    """A head that does what PLAN says; five passages are train, three validation."""
    every = features()
    weights = Evaluator(every, is_causal).run(parse(PLAN)).weights.numpy()
    lengths = dict(zip(every.sentences, every.lengths.tolist(), strict=True))
    maps = {name: weights[row : row + 1, :n, :n] for row, (name, n) in enumerate(lengths.items())}
    return HeadData(at, is_causal, every.select(range(5)), every.select(range(5, 8)), maps)


def talk(asker: Asker, limits: TalkLimits, at: HeadId = HEAD) -> Outcome:
    """A whole conversation about that head."""
    conversation = converse(head(at=at), limits, PARSED_BASELINES)
    try:
        request = next(conversation)
        while True:
            request = conversation.send(asker.answer(request))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome

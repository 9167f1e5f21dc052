"""A package that extends Headscript through all five doors, as a stranger would write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.audit import Audit, Figure, Finding, ProgramSubject, at_most
from core.corpus import CorpusSource
from core.features.attributes import attribute
from core.jobs.runners import RunnerEntry
from core.jobs.runners.inline import InlineRunner
from core.language import ParsedProgram, parse
from core.plugins import Tables
from core.proposers import LayerByLayer, Material, Proposer, limit
from core.types import Bounds, Estimate, Told, option


def add(tables: Tables) -> None:
    """What the entry point names."""
    tables.corpora.add(CorpusSource("proverbs", "Proverbs", _proverbs))
    tables.runners.add(RunnerEntry("patient", "One after the other", lambda settings: InlineRunner()))
    attribute("is_vowelled", "boolean", "begins with a vowel", phrase="vowels")(_is_vowelled)
    tables.audits.add(
        Audit("brevity", "Brevity", "Is the program short?", "program", BrevityLimits, _brevity)
    )
    tables.proposers.add(
        Proposer(
            name="vowels",
            title="Vowels",
            job="Look for vowels",
            about="Looks at words that begin with a vowel.",
            limits=VowelLimits,
            way=LayerByLayer(_prepare),
        )
    )


def _proverbs() -> list[tuple[str, str]]:
    things = ("owl", "apple", "fox", "ember", "stone", "island")
    return [(f"The {some} waits while an {other} sings.", "saying") for some in things for other in things]


def _is_vowelled(token):
    return token.bare[:1].lower() in ("a", "e", "i", "o", "u")


@dataclass(frozen=True)
class BrevityLimits:
    """How long a program may be."""

    longest: int = option(40, "nodes that a program may have", Bounds(1, 600))


def _brevity(subject: ProgramSubject, limits: BrevityLimits, told: Told) -> Finding:
    length = float(len(subject.program.source))
    known = Estimate(length, length, length)
    return Finding(at_most(known, limits.longest), "Characters of source.", (Figure("characters", known),))


@dataclass(frozen=True)
class VowelLimits:
    """How much vowels weigh."""

    weight: int = limit(9, "Weight", "of a word that begins with a vowel", Bounds(1, 99))


@dataclass(frozen=True)
class _Vowels:
    program: ParsedProgram

    def describe(self) -> str:
        return "looking for vowels"

    def over_layers(self, heads: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, list[ParsedProgram]]]:
        for layer, wanted in heads.items():
            yield layer, [self.program] * len(wanted)


def _prepare(material: Material, limits: VowelLimits) -> _Vowels:
    return _Vowels(parse(f"def attend(q, k):\n    return 1 + {limits.weight} * k.is_vowelled\n"))

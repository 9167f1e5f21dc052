"""Rules as the source text of a program, with a docstring that is true of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.proposers.search.grammar import FIRST
from core.proposers.search.rule import Rule

_NEAR = re.compile(r"what is near|the nearest \d+ tokens")
_LONGEST = 90  # characters that the docstring has, unless its first rule alone takes more


def written(rules: Sequence[Rule], constants: Sequence[Sequence[str]]) -> str:
    """The program of these rules, each with its constants, the ones that matter most first."""
    lines = ["def attend(q, k):", f'    """{summary(rules, constants)}"""', "    weight = 1.0"]
    for rule, constant in zip(rules, constants, strict=True):
        lines += [f"    {line}" for line in rule.lines(constant)]
    return "\n".join([*lines, "    return weight", ""])


def summary(rules: Sequence[Rule], constants: Sequence[Sequence[str]]) -> str:
    """One line on the first rules, as many as fit: what they favour and what they avoid.

    How much rests on the first token comes last, as that is what most heads share.
    """
    pairs = sorted(zip(rules, constants, strict=True), key=lambda pair: _is_of_sink(pair[0]))
    clauses: dict[str, list[str]] = {}
    text = "looks at all tokens alike"
    for rule, constant in pairs:
        phrase = rule.phrase()
        grows = (float(constant[0]) > (0 if rule.look else 1)) != rule.is_law_of_keys
        verb = "favours" if grows else "avoids"
        if rule.look:
            verb = "follows" if grows else "turns from"
        if rule.table:
            verb = "weighs"
        if verb == "favours" and phrase == "the first token":
            verb = "rests on"
        clause = clauses.setdefault(verb, [])
        if not any(_says_all(said, phrase) for said in clause):
            clause.append(phrase)
        longer = "; ".join(f"{verb} {_listed(phrases)}" for verb, phrases in clauses.items())
        if rule != pairs[0][0] and len(longer) > _LONGEST:
            break
        text = longer
    return text[0].upper() + text[1:].replace("\\", "").replace('"', "'") + "."


def _is_of_sink(rule: Rule) -> bool:
    return rule.key == FIRST and not rule.relation


def _says_all(said: str, phrase: str) -> bool:
    """Whether what was said covers a phrase: "spaces" what is told of "spaces after digits"."""
    is_near = all(_NEAR.fullmatch(text) for text in (said, phrase))
    return is_near or phrase == said or phrase.startswith(f"{said} ")


def _listed(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"

"""Rules as the source text of a program, with a docstring that is true of it."""

from __future__ import annotations

from collections.abc import Sequence

from core.synthesis.rule import Rule

_NAMED = 4  # rules that the docstring speaks of


def written(rules: Sequence[Rule], constants: Sequence[str]) -> str:
    """The program of these rules and constants, in the order given: the ones that matter most first."""
    lines = ["def attend(q, k):", f'    """{summary(rules, constants)}"""', "    weight = 1.0"]
    for rule, constant in zip(rules, constants, strict=True):
        lines += [f"    {line}" for line in rule.lines(constant)]
    return "\n".join([*lines, "    return weight", ""])


def summary(rules: Sequence[Rule], constants: Sequence[str]) -> str:
    """One line on the first few rules: what they favour and what they avoid."""
    clauses: dict[str, list[str]] = {}
    for rule, constant in zip(rules[:_NAMED], constants[:_NAMED], strict=True):
        phrase = rule.phrase()
        grows = (float(constant) > 1) != rule.is_law_of_keys
        verb = "favours" if grows else "avoids"
        if verb == "favours" and phrase == "the first token":
            verb = "rests on"
        if phrase not in clauses.setdefault(verb, []):
            clauses[verb].append(phrase)
    text = "; ".join(f"{verb} {_listed(phrases)}" for verb, phrases in clauses.items())
    text = text or "looks at all tokens alike"
    return text[0].upper() + text[1:].replace("\\", "").replace('"', "'") + "."


def _listed(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"

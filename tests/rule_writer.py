"""The "model" behind the test server: reads a prompt's pairs and writes programs by rule.

It knows the prompt as text only. Each condition that holds for a shown pair gains what the head gives that
pair beyond the program; the best conditions become rules on top of the best program so far.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

_TOKEN = r'(\d+) ("(?:[^"\\]|\\.)*")(?: ([A-Z]+))?(?: ([a-zA-Z]+))?'
_PAIR = re.compile(rf"^([\d.]+)(?: \| ([\d.]+))? \| {_TOKEN} \| {_TOKEN}$", re.MULTILINE)
_BEST = re.compile(r"The best program so far .*?<data>\n(.*?)\n</data>", re.DOTALL)
_WANTED = re.compile(r"Hand in (\d+) different programs")


def write_programs(prompt: str) -> list[dict[str, str]]:
    """As many programs as the prompt asks for, each with one rule more than the one before."""
    wanted = int(_WANTED.findall(prompt)[-1])
    found = _BEST.findall(prompt)
    start = found[-1].replace("<\\/", "</") if found and "weight *=" in found[-1] else _fresh(prompt)
    rules = list(_rules(prompt, start, wanted))
    return [_program(start, rules[: count + 1]) for count in range(wanted)]


def _fresh(prompt: str) -> str:
    """Where to start: with the sink that many heads have."""
    share = re.search(r"the first token ([\d.]+)", prompt)
    sink = "    if k.is_first:\n        weight *= 20\n" if share and float(share[1]) > 0.2 else ""
    return f"def attend(q, k):\n    weight = 1.0\n{sink}    return weight\n"


def _rules(prompt: str, start: str, wanted: int) -> Iterator[tuple[str, float]]:
    """The condition that gains most, then the one that gains most of what it leaves, and so on."""
    pairs = [
        (set(_conditions(match)), float(match[1]) - float(match[2] or 0)) for match in _PAIR.finditer(prompt)
    ]
    for _ in range(wanted):
        gains: Counter[str] = Counter()
        for conditions, gain in pairs:
            gains.update(dict.fromkeys(sorted(conditions), gain))
        new = [(text, gain) for text, gain in gains.items() if f"if {text}:" not in start]
        if not new:
            return
        best = max(new, key=lambda rule: (abs(rule[1]), rule[0]))
        yield best
        pairs = [(conditions, gain) for conditions, gain in pairs if best[0] not in conditions]


def _conditions(match: re.Match[str]) -> list[str]:
    query, key = int(match[3]), int(match[7])
    query_text, key_text = (json.loads(text).lower() for text in (match[4], match[8]))
    found = [f"k.lower == {_literal(key_text)}"]
    if match[9]:
        found += [f'k.pos == "{match[9]}"', f'q.pos == "{match[5]}" and k.pos == "{match[9]}"']
    if key == 0:
        found.append("k.is_first")
    if key == query:
        found.append("k == q")
    if query_text == key_text and key != query:
        found.append("k.lower == q.lower and k != q")
    if 1 <= query - key <= 3:
        found.append(f"q.index - k.index == {query - key}")
    return found


def _literal(text: str) -> str:
    return json.dumps(text)


def _program(start: str, rules: list[tuple[str, float]]) -> dict[str, str]:
    lines = [f"    if {text}:\n        weight *= {8 if gain > 0 else 0.2}" for text, gain in rules]
    body, _, _ = start.rstrip().rpartition("\n")
    hypothesis = "Gives weight where " + " or ".join(text for text, _ in rules)
    return {"source": "\n".join([body, *lines, "    return weight", ""]), "hypothesis": hypothesis}

"""What a program is about, read off its text alone.

A program's category is that of its first statement that does more than rest on the first token or follow
other heads: programs of the search begin with the line that is worth most. Of a statement, as of a program
without any such, it is the first of these that applies:

    other heads   looks at another head

    coreference   compares a text of `q` with a text of `k`, calls similarity(), or searches for a text
                  that depends on a token: the same or a like word
    syntactic     reads part of speech, tag, dependency, head, entity or stop word
    sequential    relates the positions of `q` and `k`: by index, by neighbours, or by counting
    final token   asks whether `k` is the end: `k.next == None`, or its text is an end marker
    first token   asks whether `k` is the first: `k.is_first`, or `k.index` compared with a number
    syntactic     reads any other attribute of `k`: its characters, its place in a sentence or quotation
    uniform       tells no key from another

What is plain Python is not read; that is its category.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Literal

from core.features import ATTRIBUTES, Aspect
from core.language import nodes as n
from core.language.functions import FUNCTIONS
from core.language.plain import PlainProgram
from core.language.reading.program import ParsedProgram
from core.language.walk import children, expressions, parts, statements

Category = Literal[
    "other heads",
    "first token",
    "final token",
    "sequential",
    "coreference",
    "syntactic",
    "uniform",
    "plain Python",  # not read, so not sorted
]
Read = tuple[str, str]  # "q" or "k", and the attribute or function read from it

# What most heads do, or say by way of others: a category only where nothing else is one.
_SHARED: Set[Category] = frozenset({"first token", "other heads", "uniform"})
END_MARKERS = frozenset({"[SEP]", "</s>", "<|endoftext|>", "<|im_end|>", "<eos>"})
ITSELF = ""  # in place of an attribute: the token as a whole
_SENTENCES: Mapping[Category, str] = {
    "other heads": "Looks where other heads look",
    "coreference": "Looks for the same or a similar word",
    "syntactic": "Looks at tokens of a certain kind",
    "sequential": "Looks at a certain distance or neighbour",
    "final token": "Looks at the final token",
    "first token": "Looks at the first token",
    "uniform": "Looks at all tokens alike",
    "plain Python": "Plain Python that is run and not read",
}


@dataclass(frozen=True)
class Description:
    """A program in a few words."""

    features: frozenset[str]  # token attributes read, and token functions called
    lookahead: bool
    nodes: int
    category: Category
    sentence: str  # the docstring's first line, or a plain sentence made from the category


def describe(program: ParsedProgram) -> Description:
    """Category and one-line meaning of a program."""
    category = categorise(program)
    first_line = program.docstring.partition("\n")[0].strip()
    return Description(
        features=program.features,
        lookahead=program.lookahead,
        nodes=program.nodes,
        category=category,
        sentence=first_line or _sentence(program, category),
    )


def categorise(program: ParsedProgram) -> Category:
    """The category of the first statement that tells the head from others; see above."""
    if isinstance(program, PlainProgram):
        return "plain Python"
    survey = _Survey(program.body)
    for statement in filter(_changes_a_weight, program.body):
        category = _category(_Survey((statement,), survey))
        if category not in _SHARED:
            return category
    return _category(survey)


def _changes_a_weight(statement: n.Statement) -> bool:
    """Whether it is a branch, or makes a local anew of what it was: `weight *= 2`."""
    if isinstance(statement, n.Assign):
        return any(isinstance(p, n.Local) and p.name == statement.name for p in parts(statement.value))
    return isinstance(statement, n.If)


def _category(seen: _Survey) -> Category:
    """The first category whose rule applies to what was seen."""
    if seen.looks:
        return "other heads"
    if seen.relates_texts:
        return "coreference"
    if _any_is(_names(seen.readings) | seen.names, "grammar"):
        return "syntactic"
    if seen.relates_places:
        return "sequential"
    if seen.asks_final:
        return "final token"
    if seen.asks_first:
        return "first token"
    return "syntactic" if any(token == "k" for token, _ in seen.readings) else "uniform"


def _sentence(program: ParsedProgram, category: Category) -> str:
    attributes = [name for name in ATTRIBUTES if name in program.features]
    return _SENTENCES[category] + (f", by {', '.join(attributes)}." if attributes else ".")


class _Survey:
    """What a program's comparisons, arithmetic and searches bring together."""

    def __init__(self, block: n.Block, whole: _Survey | None = None) -> None:
        """`whole` is that of the program, where the block is a part of one."""
        self.readings: set[Read] = set()  # of the whole block
        self.names: set[str] = set()  # attributes read of any token
        self.relates_texts = self.relates_places = self.asks_final = self.asks_first = self.looks = False
        self._changed: set[str] = set()  # locals that are made of what they were
        self._locals: dict[str, set[Read]] = {} if whole is None else dict(whole.of_locals())
        for statement in statements(block):
            for expression in expressions(statement):
                readings = self._readings(expression)
                self.readings |= readings
                if isinstance(statement, n.Assign):
                    if _changes_a_weight(statement):
                        self._changed.add(statement.name)
                    self._locals.setdefault(statement.name, set()).update(readings)
                for part in parts(expression):
                    self._inspect(part)

    def of_locals(self) -> Mapping[str, set[Read]]:
        """What each local holds of `q` and `k`, but for the weight that every statement hands on."""
        return {name: read for name, read in self._locals.items() if name not in self._changed}

    def _readings(self, node: n.Expression) -> set[Read]:
        """What an expression reads of `q` and `k`, through locals too."""
        if isinstance(node, n.Parameter):
            return {(node.name, ITSELF)}
        if isinstance(node, n.Local):
            return self._locals.get(node.name, set())
        inside = {reading for child in children(node) for reading in self._readings(child)}
        if not isinstance(node, n.Attribute | n.Call):
            return inside
        name = node.name if isinstance(node, n.Attribute) else node.function
        outside = {(token, name) for token, _ in inside}
        return outside | {reading for reading in inside if reading[1] != ITSELF}

    def _inspect(self, node: n.Expression) -> None:
        readings = self._readings(node)
        both = {token for token, _ in readings} == {"q", "k"}
        match node:
            case n.Comparison():
                is_text = node.operands[0].kind == "text"
                self.relates_texts |= both and is_text and not _any_is(_names(readings), "grammar")
                self.relates_places |= both and not is_text and _relates_places(readings)
                self._ask(node)
            case n.Arithmetic():
                self.relates_places |= both and _relates_places(readings)
            case n.Missing():
                self.asks_final |= ("k", "next") in readings
            case n.Membership():
                self.asks_final |= bool(END_MARKERS & {str(choice) for choice in node.choices})
            case n.Attribute():
                self.names.add(node.name)
                self.asks_first |= readings == {("k", "is_first")}
            case n.Look():
                self.looks = True
            case n.Call():
                self.names |= {name for name, _ in node.keywords}
                wanted = [value for name, value in node.keywords if ATTRIBUTES[name].aspect == "word"]
                self.relates_texts |= any(self._readings(value) for value in wanted)
                tells = FUNCTIONS[node.function].tells
                self.relates_texts |= tells == "likeness" or (both and tells == "words")

    def _ask(self, node: n.Comparison) -> None:
        numbers = any(isinstance(operand, n.Number) for operand in node.operands)
        self.asks_first |= numbers and self._readings(node) == {("k", "index")}
        self.asks_final |= any(
            isinstance(operand, n.Text) and operand.value in END_MARKERS for operand in node.operands
        )


def _names(readings: Set[Read]) -> set[str]:
    return {name for _, name in readings}


def _any_is(features: Set[str], aspect: Aspect) -> bool:
    return any(name in ATTRIBUTES and ATTRIBUTES[name].aspect == aspect for name in features)


def _relates_places(readings: Set[Read]) -> bool:
    return {token for token, name in readings if _is_place(name)} == {"q", "k"}


def _is_place(name: str) -> bool:
    """Whether what is read of a token is where it stands; the token as a whole is."""
    if name in FUNCTIONS:
        return FUNCTIONS[name].place == "is one"
    return name == ITSELF or ATTRIBUTES[name].aspect == "place"

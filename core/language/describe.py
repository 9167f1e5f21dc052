"""What a program is about, read off its text alone.

The category is the first of these that applies:

    coreference   compares a text of `q` with a text of `k`, calls similarity(), or searches for a text
                  that depends on a token: the same or a like word
    syntactic     reads part of speech, tag, dependency, head, entity or stop word
    sequential    relates the positions of `q` and `k`: by index, by neighbours, or by counting
    final token   asks whether `k` is the end: `k.next == None`, or its text is an end marker
    first token   asks whether `k` is the first: `k.is_first`, or `k.index` compared with a number
    syntactic     reads any other attribute of `k`: its characters, its place in a sentence or quotation
    uniform       tells no key from another
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Literal

from core.features import ATTRIBUTES, Aspect
from core.language import nodes as n
from core.language.functions import FUNCTIONS
from core.language.reading.program import ParsedProgram
from core.language.walk import children, expressions, parts, statements

Category = Literal["first token", "final token", "sequential", "coreference", "syntactic", "uniform"]
Read = tuple[str, str]  # "q" or "k", and the attribute or function read from it

END_MARKERS = frozenset({"[SEP]", "</s>", "<|endoftext|>", "<|im_end|>", "<eos>"})
ITSELF = ""  # in place of an attribute: the token as a whole
_SENTENCES: Mapping[Category, str] = {
    "coreference": "Looks for the same or a similar word",
    "syntactic": "Looks at tokens of a certain kind",
    "sequential": "Looks at a certain distance or neighbour",
    "final token": "Looks at the final token",
    "first token": "Looks at the first token",
    "uniform": "Looks at all tokens alike",
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
    """The first category whose rule (see the module's docstring) applies."""
    seen = _Survey(program)
    if seen.relates_texts:
        return "coreference"
    if _any_is(program.features, "grammar"):
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

    def __init__(self, program: ParsedProgram) -> None:
        self.readings: set[Read] = set()  # of the whole program
        self.relates_texts = self.relates_places = self.asks_final = self.asks_first = False
        self._locals: dict[str, set[Read]] = {}
        for statement in statements(program.body):
            for expression in expressions(statement):
                readings = self._readings(expression)
                self.readings |= readings
                if isinstance(statement, n.Assign):
                    self._locals.setdefault(statement.name, set()).update(readings)
                for part in parts(expression):
                    self._inspect(part)

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
                self.asks_first |= readings == {("k", "is_first")}
            case n.Call():
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

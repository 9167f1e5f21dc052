"""The part of the prompt that is the same for every head, and so is cached: task, language, tool.

`guide.md` has the prose; attributes, functions and limits come from the language itself.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from core.features import ATTRIBUTES
from core.language import FORMS, FUNCTIONS, MAX_BYTES, MAX_NODES, MAX_NUMBER
from core.types import Json

FENCE_OPEN, FENCE_CLOSE = "<data>", "</data>"
TOOL = "propose_programs"


def tool() -> Json:
    """The one tool, through which programs come back."""
    program = {
        "type": "object",
        "properties": {
            "source": {"type": "string", "description": "The whole program, from `def attend(q, k):` on."},
            "hypothesis": {"type": "string", "description": "One line: what this head does."},
        },
        "required": ["source", "hypothesis"],
        "additionalProperties": False,
    }
    return {
        "name": TOOL,
        "description": "Hand in programs that may reproduce the head's attention.",
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {"programs": {"type": "array", "items": program}},
            "required": ["programs"],
            "additionalProperties": False,
        },
    }


@cache
def system() -> str:
    """The task and the language reference: the same for every head, so that it is cached."""
    attributes = [
        f"- {name} ({attribute.kind}{', lookahead' if attribute.lookahead else ''}): {attribute.meaning}"
        for name, attribute in ATTRIBUTES.items()
    ]
    functions = [
        f"- {function.signature} -> {function.result}: {function.meaning}; `{function.example}`"
        for function in FUNCTIONS.values()
    ]
    functions += [
        f"- {name}({form.parameters}) -> number: {form.meaning}; `{form.example}`"
        for name, form in FORMS.items()
    ]
    text = Template(Path(__file__).with_name("guide.md").read_text(encoding="utf-8"))
    return text.substitute(
        tool=TOOL,
        example=EXAMPLES[0].strip(),
        examples="\n".join(EXAMPLES[1:]).strip(),
        open=FENCE_OPEN,
        close=FENCE_CLOSE,
        bytes=MAX_BYTES,
        nodes=MAX_NODES,
        number=f"{MAX_NUMBER:,.0f}",
        attributes="\n".join(attributes),
        functions="\n".join(functions),
    )


EXAMPLES = (
    '''def attend(q, k):
    """Rests on the first token; punctuation looks back at the verb it closes."""
    weight = 1.0
    if k.is_first:
        weight *= 30
    if q.is_punct and k == last(q, pos="VERB"):
        weight *= 120
    weight *= 0.8 ** min(q.index - k.index, 10)
    return weight
''',
    '''def attend(q, k):
    """Looks at what followed an earlier occurrence of this token, else rests on the first."""
    weight = 1.0
    if k.is_first:
        weight *= 50
    if k.prev != None and k.prev.lower == q.lower and k.index <= q.index:
        weight *= 400
    if k == q:
        weight *= 3
    return weight
''',
    '''def attend(q, k):
    """A pronoun looks at the nearest name, other words at the words of their own clause."""
    weight = 1.0
    name = last(q, pos="PROPN")
    if q.pos == "PRON" and name != None and k == name:
        weight *= 40
    if k == q.head or k.head == q:
        weight *= 6
    if k.sentence != q.sentence:
        weight *= 0.2
    if k.is_first:
        weight *= 12 if q.is_stop else 4
    return weight
''',
    '''def attend(q, k):
    """Inside quotation marks looks at the opening mark, elsewhere at the last comma or full stop."""
    weight = 0.7 ** min(abs(q.index - k.index), 12)
    if q.in_quotes and k.text in {"\\"", "“"}:
        weight *= 60
    if not q.in_quotes and k.lower in {",", "."} and count(q, lower=",") > 0:
        weight *= 8
    if k.prev.is_newline or k.sentence_position == 0:
        weight *= 2
    return weight
''',
)

"""Functions of texts: startswith, endswith, contains."""

from __future__ import annotations

from collections.abc import Callable

from core.language.functions.function import Function, ScalarCall, TensorCall
from core.language.values.tensors import Value

Test = Callable[[str, str], bool]


def _test(name: str, test: Test, meaning: str, example: str, exported: str) -> Function:
    """A function that asks something of two texts."""

    def scalar(call: ScalarCall) -> bool:
        text, part = call.texts
        return test(text, part)

    def tensor(call: TensorCall) -> Value:
        text, part = (argument.tensor for argument in call.arguments)
        return Value(call.batch.texts.test(test, text, part))

    return Function(
        name, ("text", "text"), "boolean", meaning, example, scalar, tensor, exported, tells="words"
    )


FAMILY = (
    _test(
        "startswith",
        str.startswith,
        "the first text starts with the second",
        'startswith(k.text, "un")',
        '''
def startswith(text: str, part: str) -> bool:
    """Whether a text starts with another."""
    return text.startswith(part)
''',
    ),
    _test(
        "endswith",
        str.endswith,
        "the first text ends with the second",
        'endswith(k.text, "ing")',
        '''
def endswith(text: str, part: str) -> bool:
    """Whether a text ends with another."""
    return text.endswith(part)
''',
    ),
    _test(
        "contains",
        str.__contains__,
        "the second text is somewhere in the first",
        'contains(k.text, "-")',
        '''
def contains(text: str, part: str) -> bool:
    """Whether a text holds another."""
    return part in text
''',
    ),
)

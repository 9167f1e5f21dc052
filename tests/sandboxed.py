"""A sandbox over a small tokenizer of words, and passages to run programs on."""

from __future__ import annotations

from textwrap import indent

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from core.sandbox import Limits, Passage, Sandbox
from core.types import Failure

needs_locks = pytest.mark.usefixtures("locks")
WORDS = {word: at for at, word in enumerate(["?", "the", "cat", "sat", "on", "mat", "."])}
PASSAGE = Passage("the cat sat .", (1, 2, 3, 6))
# Reaches what the guest put away: the module through which C is called.
CTYPES = """
import gc, types
gc.unfreeze()
ctypes = next(o for o in gc.get_objects() if isinstance(o, types.ModuleType) and o.__name__ == "ctypes")
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result in (-1, 2**32 - 1, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "C says no")
    return result
"""


def described_tokenizer() -> dict[str, object]:
    """Words as tokens, without special ones."""
    backend = Tokenizer(models.WordLevel(WORDS, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return {
        "backend": backend.to_str(),
        "closes_up": False,
        "special": {"unk_token": "?"},
        "all_special": ["?"],
        "name": "words",
        "longest": 100,
    }


def sandbox(limits: Limits | None = None) -> Sandbox:
    return Sandbox(described_tokenizer(), limits)


def ran(box: Sandbox, body: str, passages: tuple[Passage, ...] = (PASSAGE,)) -> list[np.ndarray | Failure]:
    """What a function of this body gives; where it comes to its end it rests on the first token."""
    source = (
        f"import numpy as np\ndef program(sentence, tokenizer):\n{indent(body.strip(), '    ')}\n"
        "    n = len(tokenizer(sentence).input_ids)\n    return 'it ran', np.eye(n)[[0] * n]\n"
    )
    return box.run(source, "program", passages, causal=True)

"""Which functions of a file are programs, what goes with each, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ProgramError, SandboxError
from core.language import PlainProgram, parse
from core.sandbox import programs_in, read_plain, read_programs
from core.scoring import program_of

TUTORIAL = Path(__file__).parents[3] / "docs/plain_programs.py"
FILE = '''
from __future__ import annotations
import numpy as np, re
import nltk
from transformers import PreTrainedTokenizerBase

WEIGHT = 0.5
OTHER = np.ones(3)
np.random.seed(7)

class Helper:
    scale = WEIGHT

def sized(sentence, tokenizer):
    return np.zeros((3, 3)) * Helper.scale

def first(sentence: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, np.ndarray]:
    """Looks at the first."""
    out = sized(sentence, tokenizer)
    return "First", out

def noun(text, tok: PreTrainedTokenizerBase, deep=3):
    return "Noun", nltk.parse(text)

def not_one(sentence):
    return "", 1

def three(sentence, tokenizer, depth):
    return "", 1

if __name__ == "__main__":
    print(first("a", None))
'''


def test_a_program_goes_with_what_it_names_and_nothing_else() -> None:
    first, noun = programs_in(FILE)
    assert first.source == (
        "# plain Python: first\n"
        "from __future__ import annotations\nimport numpy as np, re\n"
        "from transformers import PreTrainedTokenizerBase\nWEIGHT = 0.5\n\n"
        "class Helper:\n    scale = WEIGHT\n\n"
        "def sized(sentence, tokenizer):\n    return np.zeros((3, 3)) * Helper.scale\n\n"
        "def first(sentence: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, np.ndarray]:\n"
        '    """Looks at the first."""\n    out = sized(sentence, tokenizer)\n    return "First", out\n'
    )
    assert (first.docstring, first.needs, first.missing) == (
        "Looks at the first.",
        ("numpy", "re", "transformers"),
        (),
    )
    assert (noun.name, noun.needs, noun.missing) == ("noun", ("nltk", "transformers"), ("nltk",))
    assert read_plain(first.source) == first


def test_a_file_that_holds_none_is_refused_in_words(tmp_path: Path) -> None:
    said = {
        "x = 1": "it holds no program",
        "def f(:": "line 1: Python cannot read this",
        "x = '\0'": "Python cannot read this",
        "(" * 5000: "Python cannot read this",
    }
    for text, words in said.items():
        path = tmp_path / "programs.py"
        path.write_text(text)
        with pytest.raises(SandboxError, match=words):
            read_programs(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SandboxError, match=r"cannot read .*programs\.py"):
        read_programs(path)


def test_what_cannot_be_seen_is_not_taken_in() -> None:
    (hidden,) = programs_in("def f(sentence, tokenizer):\n    return 'a\u202e', 1\n")
    assert hidden.refused == "line 3 holds U+202E, which cannot be seen; write it as an escape"
    with pytest.raises(SandboxError, match=r"U\+202E"):
        read_plain(hidden.source)
    long, shared_line = programs_in(
        f"def f(sentence, tokenizer):\n    return 'a', '{'9' * 2**16}'\n\n"
        'TEXT = """\n"""; NUMBER = 1\n\ndef g(sentence, tokenizer):\n    return "g", NUMBER\n'
    )
    assert long.refused == "it is longer than 64 KB with its helpers"
    assert "Python cannot read this" in shared_line.refused


def test_a_stored_program_is_told_from_one_of_the_language_and_refuses_what_it_cannot_do() -> None:
    (plain,) = programs_in("def f(sentence, tokenizer):\n    return 'a', 1\n")
    program = program_of(plain.source)
    assert isinstance(program, PlainProgram)
    assert (program.id, program.lookahead, program.looks) == (plain.id, True, frozenset())
    with pytest.raises(ProgramError, match="nothing here can read"):
        program.body  # noqa: B018 - reading it is what is refused
    with pytest.raises(ProgramError, match="this is plain Python"):
        parse(plain.source)
    with pytest.raises(ProgramError, match="no function `g`"):
        program_of(plain.source.replace("Python: f", "Python: g"))


def test_the_tutorial_holds_twenty_and_no_more() -> None:
    programs = read_programs(TUTORIAL)
    assert len(programs) == 20
    assert not any(one.missing or one.refused for one in programs)

"""Words of strangers on a page that reads Markdown stand for themselves."""

import pytest

from core.ui.parts.frame import as_text


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("**bold** and `code`", r"\*\*bold\*\* and \`code\`"),
        ("see www.example.org/x now", "see `www.example.org/x` now"),
        ("by ada@example.org", "by `ada@example.org`"),
        ("[x](https://example.org)", r"\[x\]\(`https://example.org)`"),
        ("core/types.py", r"core/types\.py"),
    ],
)
def test_marks_are_escaped_and_addresses_are_code(words: str, written: str) -> None:
    assert as_text(words) == written

"""The snippet as text: one element, whatever the words in it say."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import numpy as np

from core.sharing.snippet import Drawn, page, snippet

HOSTILE = """"></iframe></script><script>alert(1)</script>&quot;' onload=alert(1) \u2028"""


class Elements(HTMLParser):
    """The elements of a text, and what stands in those that are called."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_hostile_text_opens_and_closes_no_element() -> None:
    cells = np.tril(np.full((2, 2), 0.5))
    drawn = Drawn(HOSTILE, (HOSTILE, "b"), cells, cells, HOSTILE, HOSTILE)
    ((tag, attributes),) = Elements(snippet(drawn)).found
    assert (tag, attributes["sandbox"], attributes["srcdoc"]) == ("iframe", "allow-scripts", page(drawn))
    inside = Elements(page(drawn))
    assert [tag for tag, _ in inside.found].count("script") == 2
    assert inside.texts.count(HOSTILE) == 4  # title, heading, program and caption
    told = next(json.loads(text) for text in inside.texts if text.startswith("{"))
    assert told["tokens"] == [HOSTILE, "b"]


def test_weights_are_kept_to_sixteen_bits() -> None:
    head = np.array([[1.0, 0.0], [0.25, 0.75]])
    text = page(Drawn("t", ("a", "b"), head, head))
    told = next(json.loads(text) for text in Elements(text).texts if text.startswith("{"))
    cells = np.frombuffer(base64.b64decode(told["head"]), "<u2").reshape(2, 2) / 65535
    np.testing.assert_allclose(cells, head, atol=1 / 65535)

"""The snippet as text: one element, whatever the words in it say."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import numpy as np

from core.display.canvas import ATTENTION_VIEW, classic, payload
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


def told(text: str) -> bytes:
    """The bytes that the view draws."""
    (found,) = (
        one.partition('id="told">')[2].partition("<")[0]
        for one in text.split("<script")[1:]
        if "told" in one[:60]
    )
    return base64.b64decode(found)


def test_a_hostile_text_opens_and_closes_no_element() -> None:
    cells = np.tril(np.full((2, 2), 0.5))
    drawn = Drawn(HOSTILE, (HOSTILE, "b"), cells, cells, HOSTILE, HOSTILE)
    ((tag, attributes),) = Elements(snippet(drawn)).found
    assert (tag, attributes["sandbox"], attributes["srcdoc"]) == ("iframe", "allow-scripts", page(drawn))
    inside = Elements(page(drawn))
    assert [tag for tag, _ in inside.found].count("script") == 2
    assert inside.texts.count(HOSTILE) == 4  # title, heading, program and caption
    packed = told(page(drawn))
    header = json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])
    assert header["tokens"] == [HOSTILE, "b"]


def test_it_is_the_attention_view_of_the_app_with_the_same_bytes() -> None:
    head = np.array([[1.0, 0.0], [0.25, 0.75]])
    text = page(Drawn("t", ("a", "b"), head, head))
    assert classic(*ATTENTION_VIEW) in text
    assert told(text).endswith(
        payload({}, np.stack([head, head]), True)[-12:]
    )  # three cells of two maps, 16 bits
    signed = Drawn("t", ("a", "b"), head, -head, is_signed=True)
    assert told(page(signed)).endswith(payload({}, np.stack([head, -head]), True, is_signed=True)[-12:])

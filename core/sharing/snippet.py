"""A head beside its program on one passage, as a piece of HTML that needs nothing else, for notebooks."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Self

import numpy as np

from core.display import CIVIDIS, PUOR, PUOR_DARK, counted
from core.display.canvas import ATTENTION_VIEW, classic, payload, style
from core.language import ParsedProgram
from core.types import HeadId, ModelInfo

_NOTHING_FROM_OUTSIDE = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
_MAP_HEIGHT, _LINE_HEIGHT, _LETTERS = 480, 22, 110  # pixels, pixels, letters of a line
_CONTRIBUTIONS = (
    "A cell is the signed share of what the head writes for its query that the key's write has; the "
    "program's are shares of the same output."
)
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Drawn:
    """A head and a program on the first tokens of a passage, as snippets and figures show them."""

    title: str
    tokens: tuple[str, ...]
    head: np.ndarray  # float [query, key], 0 to 1, or signed
    program: np.ndarray  # float [query, key], 0 to 1, or signed
    caption: str = ""
    source: str = ""  # of the program; left out where it is empty
    is_causal: bool = True  # whether keys after the query are masked, and not merely without weight
    is_signed: bool = False  # contributions to what the head writes, as `core.audit.contributed` gives them

    @classmethod
    def of(
        cls,
        model: ModelInfo,
        head: HeadId,
        program: ParsedProgram,
        tokens: Sequence[str],
        maps: tuple[np.ndarray, np.ndarray],
        passage: str,
        iou: float,
        first: int,
        is_signed: bool = False,
    ) -> Self:
        """Of the first tokens what `maps`, the head's and the program's on all, say; the caption says where.

        `passage` is what kind of passage it is.
        """
        n, shown = len(tokens), min(first, len(tokens))
        part = f"the first {shown} of {n} tokens" if shown < n else f"{n} tokens"
        looks = len(program.looks)
        cells = f" {_CONTRIBUTIONS}" if is_signed else ""
        given = f", given {counted(looks, 'head')} that it looks at" if looks else ""
        return cls(
            f"{model.title} {head}",
            tuple(tokens[:shown]),
            maps[0][:shown, :shown],
            maps[1][:shown, :shown],
            f"{passage}, {part}; IoU {iou:.2f} on the passage{given}. Rows are queries, columns keys; "
            f"square-root scale.{cells}",
            program.source,
            model.is_causal,
            is_signed,
        )


def snippet(drawn: Drawn) -> str:
    """An element that draws head, program and their difference, wherever HTML may stand.

    It is a frame of its own: no style or script of the page reaches it, and nothing of it the page or any
    other host.
    """
    return (
        f'<iframe title="{escape(drawn.title)}" sandbox="allow-scripts" srcdoc="{escape(page(drawn))}" '
        f'style="width:100%;height:{_height(drawn)}px;border:0"></iframe>'
    )


def page(drawn: Drawn) -> str:
    """The same as a page of its own."""
    source = f"<pre><code>{escape(drawn.source)}</code></pre>" if drawn.source else ""
    view, sheet = classic(*ATTENTION_VIEW), json.dumps(style(ATTENTION_VIEW[-1]))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">'
        f"<title>{escape(drawn.title)}</title><style>{style('theme')}{_file('snippet.css')}</style></head><body>"
        f'<h1>{escape(drawn.title)}</h1><div id="view"></div>'
        f'{source}<p class="small">{escape(drawn.caption)}</p>'
        f'<script type="application/octet-stream" id="told">{_told(drawn)}</script>'
        f"<script>const draw = {view};\nconst sheet = {sheet};\n{_file('snippet.js')}</script></body></html>"
    )


def _told(drawn: Drawn) -> str:
    """What the view draws, as bytes of letters and digits, which are no markup."""
    header = {
        "id": "snippet",
        "stamp": 0,
        "tokens": drawn.tokens,
        "title": "",
        "pins": {"queries": [], "cell": None},
        "rests": [0],
        "sequential": CIVIDIS,
        "diverging": PUOR,
        "divergingDark": PUOR_DARK,
    }
    maps = np.stack([drawn.head, drawn.program])
    return base64.b64encode(payload(header, maps, drawn.is_causal, drawn.is_signed)).decode()


def _height(drawn: Drawn) -> int:
    """Pixels that most of it takes in a wide window; what is left can be scrolled to."""
    lines = sum(map(_lines, (drawn.caption, *drawn.source.splitlines()))) + _lines("  ".join(drawn.tokens))
    return _MAP_HEIGHT + _LINE_HEIGHT * (lines + 3)


def _lines(text: str) -> int:
    return 1 + len(text) // _LETTERS


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")

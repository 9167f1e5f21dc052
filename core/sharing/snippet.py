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
from core.language import ParsedProgram
from core.types import HeadId, ModelInfo

_FOLDER = Path(__file__).parent
_NOTHING_FROM_OUTSIDE = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
_STEPS = 65535  # of a weight: 16 bits
_MAP_HEIGHT, _LINE_HEIGHT, _LETTERS = 420, 19, 110  # pixels, pixels, letters of a line


@dataclass(frozen=True)
class Drawn:
    """A head and a program on the first tokens of a passage, as snippets and figures show them."""

    title: str
    tokens: tuple[str, ...]
    head: np.ndarray  # float [query, key], 0 to 1
    program: np.ndarray  # float [query, key], 0 to 1
    caption: str = ""
    source: str = ""  # of the program; left out where it is empty
    is_causal: bool = True  # whether keys after the query are masked, and not merely without weight

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
    ) -> Self:
        """Of the first tokens what `maps`, the head's and the program's on all, say; the caption says where.

        `passage` is what kind of passage it is.
        """
        n, shown = len(tokens), min(first, len(tokens))
        part = f"the first {shown} of {n} tokens" if shown < n else f"{n} tokens"
        looks = len(program.looks)
        given = f", given {counted(looks, 'head')} that it looks at" if looks else ""
        return cls(
            f"{model.title} {head}",
            tuple(tokens[:shown]),
            maps[0][:shown, :shown],
            maps[1][:shown, :shown],
            f"{passage}, {part}; IoU {iou:.2f} on the passage{given}. Rows are queries, columns keys; "
            "square-root scale.",
            program.source,
            model.is_causal,
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
    told = {
        "tokens": drawn.tokens,
        "head": _cells(drawn.head),
        "program": _cells(drawn.program),
        "isCausal": drawn.is_causal,
        "weights": CIVIDIS,
        "apart": PUOR,
        "apartDark": PUOR_DARK,
    }
    source = f"<pre><code>{escape(drawn.source)}</code></pre>" if drawn.source else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_OUTSIDE}">'
        f"<title>{escape(drawn.title)}</title><style>{_file('snippet.css')}</style></head><body>"
        f"<h1>{escape(drawn.title)}</h1>"
        '<div id="tokens" role="group" aria-label="tokens"></div>'
        '<div id="maps"></div><p id="pair" aria-live="polite"></p>'
        f'{source}<p class="small">{escape(drawn.caption)}</p>'
        f'<script type="application/json" id="told">{_harmless(told)}</script>'
        f"<script>{_file('snippet.js')}</script></body></html>"
    )


def _cells(weights: np.ndarray) -> str:
    """Every cell of a map in two bytes, as text."""
    steps = np.rint(np.clip(weights, 0, 1) * _STEPS).astype("<u2")
    return base64.b64encode(steps.tobytes()).decode()


def _harmless(told: object) -> str:
    """JSON that ends no element, whatever it holds."""
    return json.dumps(told).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _height(drawn: Drawn) -> int:
    """Pixels that most of it takes in a wide window; what is left can be scrolled to."""
    lines = sum(map(_lines, (drawn.caption, *drawn.source.splitlines()))) + _lines("  ".join(drawn.tokens))
    return _MAP_HEIGHT + _LINE_HEIGHT * (lines + 3)


def _lines(text: str) -> int:
    return 1 + len(text) // _LETTERS


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")

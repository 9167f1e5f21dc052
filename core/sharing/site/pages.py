"""The pages of a site as HTML, from templates that escape whatever is put into them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core import __version__
from core.display import CATEGORY_COLOURS, CIVIDIS, COSTS, RUNGS, VERDICT_MARKS, VERDICTS, are_light, between
from core.display.glossary import Term
from core.language import describe
from core.scoring import program_of
from core.scoring.examiner import histogram
from core.sharing.site.content import Content, HeadEntry
from core.types import HeadId

_TEMPLATES = Path(__file__).parent / "templates"


def _figure(number: float | None, digits: int = 3) -> str:
    return "–" if number is None or math.isnan(number) else f"{number:.{digits}f}"


def _percent(number: float, digits: int = 1) -> str:
    return "–" if math.isnan(number) else f"{number:+.{digits}%}"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates of pages; every value is escaped, a name that is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["signed"] = lambda number, digits=3: f"{number:+.{digits}f}"
    made.filters["figure"] = _figure
    made.filters["percent"] = _percent
    made.filters["share"] = lambda number: f"{number:.0%}"
    made.filters["summary"] = lambda source: describe(program_of(source)).sentence if source else ""
    return made


class Pages:
    """Every page of one site."""

    def __init__(self, content: Content, made_at: str) -> None:
        self._content = content
        self._common = {
            "model": content.model,
            "plan": content.plan,
            "made_at": made_at,
            "version": __version__,
            "marks": VERDICT_MARKS,
            "has_hybrids": bool(content.hybrids),
            "words": COSTS,
            "root": "",
        }

    def page(self, template: str, **values: Any) -> str:
        """A page from a template of this name."""
        return environment().get_template(f"{template}.html").render(self._common | values) + "\n"

    def overview(self) -> str:
        """The first page."""
        entries = self._content.entries
        by_head = {entry.card.head: entry for entry in entries}
        colours = between(CIVIDIS, np.array([entry.iou for entry in entries])).round().astype(int)
        inks = are_light(colours)
        cells = {
            entry.card.head: (f"rgb({','.join(map(str, colour))})", "#000" if is_light else "#fff")
            for entry, colour, is_light in zip(entries, colours, inks, strict=True)
        }
        rows = [
            [(head, by_head.get(head), cells.get(head)) for head in row] for row in self._grid()
        ]  # fmt: skip
        counts = histogram([entry.iou for entry in entries])
        kinds = {
            "category": _shown(CATEGORY_COLOURS, [entry.card.category for entry in entries]),
            "verdict": _shown(VERDICTS, [entry.verdict for entry in entries]),
            "rung": _shown(RUNGS, [entry.rung for entry in entries]),
        }
        return self.page(
            "index", rows=rows, summary=self._content.summary, counts=counts, kinds=kinds,
            has_twins=any(not np.isnan(entry.card.twin) for entry in entries), entries=entries,
            has_resolved=any(entry.card.looks for entry in entries), cividis=CIVIDIS,
        )  # fmt: skip

    def _grid(self) -> list[list[HeadId]]:
        """Heads down, layers across."""
        model = self._content.model
        return [[HeadId(layer, head) for layer in range(model.layers)] for head in range(model.heads)]

    def heads(self) -> str:
        """The list of heads, to be searched."""
        return self.page("heads", entries=self._content.entries)

    def head(self, entry: HeadEntry, ious: Sequence[float]) -> str:
        """A head's page; `ious` are of the site's passages."""
        content = self._content
        options = [
            (at, f"{iou:.2f} · {sentence.genre} · {' '.join(sentence.text.split())[:90]}")
            for at, (iou, sentence) in enumerate(zip(ious, content.plan.passages, strict=True))
        ]
        options.sort(key=lambda option: ious[option[0]])
        return self.page(
            "head",
            root="../",
            entry=entry,
            card=entry.card,
            lines=entry.card.program.source.rstrip("\n").split("\n"),
            options=options,
            readers=content.circuit.readers(entry.card.head),
            decisions=content.decisions_on(entry.card),
            findings=content.findings.get(entry.card.id, []),
        )

    def looked_at(self, head: HeadId) -> str:
        """The page of a head whose program is not shown, but whose attention others look at."""
        return self.page("looked_at", root="../", head=head, readers=self._content.circuit.readers(head))

    def circuit(self) -> str:
        """Who looks at whom."""
        return self.page("circuit", circuit=self._content.circuit)

    def decisions(self) -> str:
        """What reviewers decided."""
        decisions = self._content.decisions
        return self.page(
            "decisions", decisions=decisions, counts=Counter(one["word"] for one in decisions)
        )  # fmt: skip

    def glossary(self, terms: Sequence[Term]) -> str:
        """The words."""
        return self.page("glossary", terms=terms)

    def about(self) -> str:
        """How the site was made, and what it does not show."""
        content = self._content
        origins = Counter(card.origin for card in content.plan.cards)
        return self.page("about", corpus=content.corpus, origins=origins.most_common())

    def readme(self) -> str:
        """What a Hugging Face Space reads, and a person who finds the folder."""
        title = f"Heads of {self._content.model.title} as programs"
        made = f"Made with Headscript {__version__}. Open `index.html`."
        return f"---\ntitle: {title}\nsdk: static\n---\n\n{made}\n"


def _shown(colours: dict[str, str], found: Sequence[str]) -> dict[str, str]:
    """The colours of what is there."""
    return {name: colour for name, colour in colours.items() if name in found}

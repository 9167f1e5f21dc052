"""Which program may stand for each head of a hybrid, and how well it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from core.scoring import program_of
from core.store.database import Database
from core.store.library import Library
from core.store.verdicts import VerdictLog
from core.types import HeadId, ProgramChoice

# The best programs of heads among all but these, in the order of the view `best_programs`.
_BEST_WITHOUT = """
SELECT layer, head, arg_min(source, (-iou, nodes, program_id))
FROM scores JOIN programs USING (program_id)
WHERE model_id = ? AND split = 'validation' AND program_id NOT IN (SELECT unnest(?::TEXT[]))
GROUP BY layer, head ORDER BY layer, head
"""


class Replacements:
    """What a workspace's verdicts and library have to put in the place of a model's heads."""

    def __init__(self, database: Database, library: Library, verdicts: VerdictLog) -> None:
        self._database = database
        self._library = library
        self._verdicts = verdicts

    def sources(self, model: str, programs: ProgramChoice) -> dict[HeadId, str]:
        """A program for every head that may be replaced: its source.

        `accepted` are those that reviewers accepted, `best` those that fit best on validation, and `text` the
        best of those that look at no other head: whatever else is replaced, they do the same.
        """
        match programs:
            case "accepted":
                return self._verdicts.accepted(model)
            case "best":
                sources = {one.id: one.source for one in self._library.programs()}
                return {head: sources[program] for head, program in self._library.best_programs(model)}
            case "text":
                rows = self._database.rows(_BEST_WITHOUT, [model, self._looking()])
                return {HeadId(layer, head): str(source) for layer, head, source in rows}
        assert_never(programs)

    def fits(self, model: str, sources: Mapping[HeadId, str]) -> dict[HeadId, float]:
        """The IoU on validation of each of these programs on its head, where it is scored there."""
        ids = {source: program_of(source).id for source in set(sources.values())}
        rows = self._database.rows(
            "SELECT layer, head, iou FROM scores WHERE model_id = $model AND split = 'validation' AND "
            "(layer, head, program_id) IN (SELECT unnest($layers), unnest($heads), unnest($programs))",
            {
                "model": model,
                "layers": [head.layer for head in sources],
                "heads": [head.head for head in sources],
                "programs": [ids[source] for source in sources.values()],
            },
        )
        return {HeadId(layer, head): float(iou) for layer, head, iou in rows}

    def _looking(self) -> list[str]:
        """The programs of the library that look at other heads."""
        rows = self._database.rows("SELECT program_id, source FROM programs WHERE contains(source, 'look')")
        return [str(program) for program, source in rows if program_of(source).looks]

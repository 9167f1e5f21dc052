"""Which program may stand for each head of a hybrid, and how well it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from core.display import counted
from core.errors import HybridError
from core.scoring import program_of
from core.store.database import Database
from core.store.library import Library
from core.store.verdicts import VerdictLog
from core.types import HeadId, ProgramChoice


class Replacements:
    """What a workspace's verdicts and library have to put in the place of a model's heads."""

    def __init__(self, database: Database, library: Library, verdicts: VerdictLog) -> None:
        self._database = database
        self._library = library
        self._verdicts = verdicts

    def sources(self, model: str, programs: ProgramChoice) -> dict[HeadId, str]:
        """A program for every head that may be replaced: its source.

        `accepted` are those that reviewers accepted, `best` those that fit best on validation, `resolved`
        those that do with one another in the place of the heads that they look at, and `text` the best of
        those that look at no other head: whatever else is replaced, they do the same. Raises HybridError
        where the best programs were not resolved since they changed.
        """
        match programs:
            case "accepted":
                return self._verdicts.accepted(model)
            case "best":
                sources = {one.id: one.source for one in self._library.programs()}
                return {head: sources[program] for head, program in self._library.best_programs(model)}
            case "text":
                return {head: source for head, (source, _) in self._library.of_text(model).items()}
            case "resolved":
                if missing := self._library.unresolved(model):
                    raise HybridError(
                        f"the best programs of {counted(len(missing), 'head')} changed, so it is not known "
                        "which do best with one another; run `resolve`, or wait until its job is done"
                    )
                return {head: one.source for head, one in self._library.resolution(model).programs.items()}
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

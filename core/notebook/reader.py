"""A workspace opened for reading, beside whoever holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, cast, get_args

import pandas as pd

from core.errors import HybridError, ModelError, WorkspaceError
from core.hybrid import hybrid
from core.models import LoadedModel
from core.models.names import model_named
from core.notebook import frames
from core.notebook.heads import Head
from core.notebook.hybrids import OpenHybrid
from core.plugins import load_plugins
from core.review import heads_named
from core.scoring import FITS, Examiner
from core.settings import Settings
from core.store import Snapshot, Workspace
from core.store.loaded import load_stored
from core.types import HeadId, HybridSpec, ModelInfo, ProgramChoice, Sentence, Split


def open_workspace(folder: str | Path | None = None, model: str | None = None) -> WorkspaceReader:
    """The workspace in a folder, as it is now; `refresh` reads it again.

    The folder that HEADSCRIPT_WORKSPACE names, else `workspace`, unless one is given; the latest model
    unless one is named. An app or command that holds the workspace is not disturbed. Raises WorkspaceError if
    there is none, ModelError if it has no such model.
    """
    settings = Settings.read(os.environ)
    place = settings.workspace if folder is None else Path(folder)
    settings = replace(settings, workspace=place.resolve())  # wherever the notebook goes from here
    load_plugins(settings)
    snapshot = Snapshot(settings.workspace)
    try:
        return WorkspaceReader(snapshot, settings, model)
    except BaseException:
        snapshot.close()
        raise


class WorkspaceReader:
    """A workspace as it was when it was opened, or refreshed last; nothing of it is ever written."""

    def __init__(self, snapshot: Snapshot, settings: Settings, model: str | None) -> None:
        """Raises ModelError if there is no model, or none called so."""
        self._settings = settings
        self._snapshot = snapshot
        self.model: ModelInfo = _chosen(self.workspace, model)
        self._examiners: dict[str | None, Examiner] = {}

    @property
    def workspace(self) -> Workspace:
        """What is read."""
        return self._snapshot.workspace

    def refresh(self) -> bool:
        """Read the workspace again if anything was written since; whether there was."""
        if self._snapshot.is_current():
            return False
        newer = Snapshot(self._settings.workspace)
        self._snapshot.close()
        self._snapshot = newer
        self._examiners = {}
        return True

    def close(self) -> None:
        """Remove the copy that is read."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        heads = f"{self.model.layers} x {self.model.heads} heads"
        return f"<{self._settings.workspace}: {self.model.title}, {heads}>"

    def models(self) -> pd.DataFrame:
        """Every model of the workspace, the latest first."""
        return frames.models(self.workspace)

    def best(self, split: str = "test") -> pd.DataFrame:
        """Every head's best program, chosen on validation, with its score and lift on a split."""
        return self.workspace.library.best_frame(self.model.id, Split(split))

    def scores(self, split: str | None = None) -> pd.DataFrame:
        """Every program on every head: layer, head, program_id, split, iou, its interval, failures."""
        return self.workspace.library.scores(self.model.id, None if split is None else Split(split))

    def programs(self) -> pd.DataFrame:
        """Every program of the library, with its source, how many heads it fits, and which best."""
        return self.workspace.catalogue.programs(self.model.id, FITS)

    def verdicts(self) -> pd.DataFrame:
        """Every reviewer's word on each program of a head that stands, the oldest first."""
        return frames.verdicts(self.workspace.verdicts.opinions(self.model.id))

    def audits(self, resolved: bool = False) -> pd.DataFrame:
        """Where each audited program stands on the ladder, and its figures.

        Given the heads that it looks at, or `resolved`, with their programs in their place.
        """
        return frames.standings(self.workspace, self.model, resolved)

    def hybrids(self) -> pd.DataFrame:
        """Every hybrid, the newest first, one row an evaluation."""
        return self.workspace.hybrids.frame(self.model.id).drop(columns="made")

    def sentences(self, split: str | None = None) -> pd.DataFrame:
        """The model's passages: sentence_id, text, genre, split."""
        splits = () if split is None else (Split(split),)
        return frames.sentences(self.workspace.models.sentences(self.model.id, *splits))

    def sentence(self, wanted: str | Sentence) -> Sentence:
        """The passage with this id, else the first that contains this text; WorkspaceError if none does."""
        if isinstance(wanted, Sentence):
            return wanted
        known = self.workspace.models.sentences(self.model.id)
        for one in [one for one in known if one.id == wanted] or [one for one in known if wanted in one.text]:
            return one
        raise WorkspaceError(f"no passage of {self.model.title} contains {wanted!r}")

    def passage(self, id: str) -> Sentence:
        """The passage with this id; raises WorkspaceError if the model has none."""
        for one in self.workspace.models.sentences(self.model.id):
            if one.id == id:
                return one
        raise WorkspaceError(f"{self.model.title} has no passage {id!r}")

    def head(self, name: str | HeadId) -> Head:
        """The head called so, such as L7H3; raises WorkspaceError if the model has none."""
        found = heads_named(str(name), self.model)
        if len(found) != 1:
            raise WorkspaceError(f"{name} is {len(found)} heads; name one, such as {found[0]}")
        return Head(found[0], self)

    def examiner(self, sentence: Sentence | None = None) -> Examiner:
        """What compares programs with heads: on a passage, or on all of test."""
        key = None if sentence is None else sentence.id
        if key not in self._examiners:
            if len(self._examiners) > 8:
                self._examiners = {}
            self._examiners[key] = (
                self.workspace.examiner(self.model, Split.TEST)
                if sentence is None
                else self.workspace.examiner_of(self.model, [sentence])
            )
        return self._examiners[key]

    @cached_property
    def loaded(self) -> LoadedModel:
        """The model itself, loaded when it is first asked for; raises ModelError if it is not to be had."""
        return load_stored(self.model, self._settings)

    @contextmanager
    def hybrid(
        self, programs: ProgramChoice | str | Mapping[str, str] = "accepted", heads: str | None = None
    ) -> Iterator[OpenHybrid]:
        """The model with heads replaced, until the block ends.

        `programs`: the accepted ones, the best ones, the best where those that they look at are replaced too
        (`resolved`), the best that look at no other head (`text`), those of a stored hybrid by its id, or a
        mapping of heads to sources; `heads`, such as "L0H1,L3H*", leaves out all others. Raises HybridError
        where there is nothing to replace or it does not fit, ProgramError for a source that is no program.
        """
        chosen = self._sources(programs)
        if heads is not None:
            named = set(heads_named(heads, self.model))
            chosen = {head: source for head, source in chosen.items() if head in named}
        if not chosen:
            raise HybridError(f"no head has a program here: {programs!r}, heads {heads or 'all'}")
        spec = HybridSpec.of(self.model.id, chosen.items())
        with hybrid(self.loaded, spec) as patched:
            yield OpenHybrid(spec, self.loaded, patched)

    def _sources(self, programs: ProgramChoice | str | Mapping[str, str]) -> dict[HeadId, str]:
        """The program of each head that is meant."""
        workspace, model = self.workspace, self.model.id
        if isinstance(programs, Mapping):
            return {HeadId.parse(str(head)): source for head, source in programs.items()}
        if programs in get_args(ProgramChoice):
            return workspace.replacements.sources(model, cast(ProgramChoice, programs))
        spec = workspace.hybrids.spec(programs)
        if spec is None or spec.model != model:
            others = ", ".join(f"`{name}`" for name in get_args(ProgramChoice))
            raise HybridError(f"{programs!r} is no hybrid of {self.model.title}; {others} are, too")
        return dict(spec.programs)


def _chosen(workspace: Workspace, name: str | None) -> ModelInfo:
    """The model called so, else the latest."""
    known = workspace.models.all()
    if not known:
        raise ModelError("the workspace holds no model yet; run `demo` or `extract` first")
    return known[0] if name is None else model_named(name, known)

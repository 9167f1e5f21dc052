"""A workspace: the database, the attention, the models and the job folders under one path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.scoring import Examiner
from core.store.attention import AttentionReader
from core.store.cards import CardTable
from core.store.catalogue import Catalogue
from core.store.conversions import ConversionTable
from core.store.database import Database, open_database
from core.store.failures import FailureTable
from core.store.findings import FindingTable
from core.store.gains import Gains
from core.store.hybrids import HybridTable
from core.store.jobs import JobTable
from core.store.labels import LabelTable
from core.store.library import Library
from core.store.models import ModelTable
from core.store.reviewers import ReviewerTable
from core.store.tokens import TokenStore
from core.store.verdict_rows import VerdictRows
from core.store.verdicts import VerdictLog
from core.types import ModelInfo, Sentence, Split


class Workspace:
    """An open workspace. One process holds it at a time; `close` lets go."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.models = ModelTable(database)
        self.library = Library(database)
        self.findings = FindingTable(database)
        self.cards = CardTable(database, self.library, self.findings)
        self.verdicts = VerdictLog(database, self.library)
        self.catalogue = Catalogue(database)
        self.verdict_rows = VerdictRows(database)
        self.reviewers = ReviewerTable(database)
        self.hybrids = HybridTable(database)
        self.failures = FailureTable(database)
        self.conversions = ConversionTable(database)
        self.jobs = JobTable(database)
        self.gains = Gains(database)
        self.labels = LabelTable(database)

    @classmethod
    def open(cls, folder: Path) -> Workspace:
        """Open or create the workspace; raises WorkspaceBusy, WorkspaceTooNew or WorkspaceError."""
        return cls(folder, open_database(folder / "workspace.duckdb"))

    def attention(self, model: str) -> AttentionReader:
        """Reads a model's attention."""
        return AttentionReader(attention_folder(self.folder, model))

    def tokens(self, model: str) -> TokenStore:
        """A model's token features."""
        return TokenStore(attention_folder(self.folder, model))

    def examiner(self, model: ModelInfo, split: Split) -> Examiner:
        """Compares programs with a model's heads on the sentences of a split.

        Raises WorkspaceError if attention or token features are not there.
        """
        return self.examiner_of(model, self.models.sentences(model.id, split))

    def examiner_of(self, model: ModelInfo, sentences: Sequence[Sentence]) -> Examiner:
        """The same on these sentences of the model's."""
        features = self.tokens(model.id).read([sentence.id for sentence in sentences])
        return Examiner(features, sentences, self.attention(model.id), model.is_causal, model.window)

    def close(self) -> None:
        """Let another process have the workspace."""
        self.database.close()


def attention_folder(workspace: Path, model: str) -> Path:
    """Where a model's attention and token features lie."""
    return workspace / "attention" / model

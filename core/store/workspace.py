"""A workspace: the database, the attention, the models and the job folders under one path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.files import disk_errors, write_whole
from core.scoring import Examiner
from core.store.attention import AttentionReader, extracted_layers
from core.store.cards import CardTable
from core.store.catalogue import Catalogue
from core.store.conversions import ConversionTable
from core.store.database import Database, open_database
from core.store.depot import Address, address_of, below
from core.store.failures import FailureTable
from core.store.findings import FindingTable
from core.store.gains import Gains
from core.store.hybrids import HybridTable
from core.store.jobs import JobTable
from core.store.labels import LabelTable
from core.store.library import Library
from core.store.models import ModelTable
from core.store.replacements import Replacements
from core.store.reviewers import ReviewerTable
from core.store.tokens import TokenStore
from core.store.verdict_rows import VerdictRows
from core.store.verdicts import VerdictLog
from core.types import ModelInfo, Sentence, Split

ELSEWHERE = "attention-lies-at"  # a note beside the tokens of a model


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
        self.replacements = Replacements(database, self.library, self.verdicts)
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
        return reader_of(self.folder, model)

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
    """Where a model's token features lie; its attention, too, unless a note there says where else it is."""
    return workspace / "attention" / model


def attention_address(workspace: Path, model: str) -> Address:
    """Where a model's attention lies; raises WorkspaceError for a note that names no place."""
    folder = attention_folder(workspace, model)
    note = folder / ELSEWHERE
    return address_of(note.read_text().strip()) if note.is_file() else folder


def put_attention(workspace: Path, model: str, under: str | None) -> Address:
    """Where a model's attention is to be written: where it lies, or `under` this address if there is none."""
    folder, at = attention_folder(workspace, model), attention_address(workspace, model)
    if under is None or at != folder or extracted_layers(folder):
        return at
    chosen = below(address_of(under), model)
    with disk_errors(folder):
        for made in (folder, chosen):
            if isinstance(made, Path):
                made.mkdir(parents=True, exist_ok=True)
        write_whole(folder / ELSEWHERE, f"{chosen}\n")
    return chosen


def shared_folder(workspace: Path, model: str, under: str | None) -> Path | None:
    """The folder that whoever works on a model has to see; none where its attention lies in a store.

    An empty `model` is one that is not known yet, whose attention comes to lie `under` that address.
    """
    at = attention_address(workspace, model) if model or not under else address_of(under)
    if not isinstance(at, Path):
        return None
    return workspace if at.is_relative_to(workspace) else at


def reader_of(workspace: Path, model: str) -> AttentionReader:
    """Reads a model's attention, wherever it lies."""
    return AttentionReader(attention_address(workspace, model))

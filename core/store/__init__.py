"""The workspace on disk: the only code that holds SQL, and the Parquet reader and writer.

Workspace.open(folder)       .models .library .cards .verdicts .hybrids .jobs ...: one class a subject
Snapshot(folder).workspace   the same as it is now, also while another process holds it
add_...(cursor, ...)         what a job found, within a transaction of `workspace.database`
"""

from core.store.attention import AttentionReader, AttentionWriter
from core.store.findings import StoredFinding
from core.store.gains import HeadGain, add_gains, best_fits
from core.store.jobs import CANCELLED, JobRecord
from core.store.labels import Label, read_tags
from core.store.library import Library, add_program, add_proposals
from core.store.models import ModelTable, add_model, add_sentences
from core.store.scores import add_scores
from core.store.snapshot import Snapshot, export_snapshot
from core.store.tokens import TokenStore
from core.store.verdict_rows import ProgramRow, VerdictRow
from core.store.verdicts import VerdictLog
from core.store.workspace import Workspace, attention_folder

__all__ = [
    "CANCELLED",
    "AttentionReader",
    "AttentionWriter",
    "HeadGain",
    "JobRecord",
    "Label",
    "Library",
    "ModelTable",
    "ProgramRow",
    "Snapshot",
    "StoredFinding",
    "TokenStore",
    "VerdictLog",
    "VerdictRow",
    "Workspace",
    "add_gains",
    "add_model",
    "add_program",
    "add_proposals",
    "add_scores",
    "add_sentences",
    "attention_folder",
    "best_fits",
    "export_snapshot",
    "read_tags",
]

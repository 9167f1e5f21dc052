"""The workspace on disk: the only code that holds SQL, and the Parquet reader and writer."""

from core.store.attention import AttentionReader, AttentionWriter
from core.store.jobs import JobRecord
from core.store.tokens import TokenStore
from core.store.verdicts import VerdictLog
from core.store.workspace import Workspace, attention_folder

__all__ = [
    "AttentionReader",
    "AttentionWriter",
    "JobRecord",
    "TokenStore",
    "VerdictLog",
    "Workspace",
    "attention_folder",
]

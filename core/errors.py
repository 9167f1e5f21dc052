"""The errors a caller may meet, and the exit code each gives the command line.

HeadscriptError            2  anything the user can put right; the message says what and how
├── ModelError             2  a model that is unknown, unreachable, damaged or unsupported
├── CorpusError            2  a corpus that is missing, empty or unreadable
├── ProgramError           2  source that is not in the program language; holds every problem
├── ProposerError          2  no API key, a refused one, or a model without a price
├── HybridError            2  a hybrid that cannot be built or measured
├── SandboxError           2  plain Python that cannot be run here, or a file of it that cannot be read
├── AuditError             2  an audit that does not go with what it was asked about
├── PluginError            2  an entry that is not there, or an installed package that brings a wrong one
├── WireError              2  a file that does not spell the value it should
├── SettingsError          2  environment variables that contradict each other, or lack one
├── DecisionsError         2  a file of decisions that is not one, or does not fit the workspace
├── WorkspaceError         2  a workspace folder that cannot be opened or written
│   ├── WorkspaceBusy      3  another process holds the database
│   └── WorkspaceTooNew    2  a later version of Headscript wrote it
└── JobError               4  a background job that failed; names its folder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HeadscriptError(Exception):
    """Base of every error whose message is meant for the user."""

    exit_code = 2


class ModelError(HeadscriptError):
    """The model cannot be found, fetched, read or used."""


class CorpusError(HeadscriptError):
    """The corpus cannot be found or read, or holds no passage."""


class HybridError(HeadscriptError):
    """The hybrid asked for cannot be built or measured."""


class SandboxError(HeadscriptError):
    """This machine cannot lock a stranger's program in, or a file of programs cannot be read."""


class AuditError(HeadscriptError):
    """The audit asked for needs another subject, or something that was not given."""


class ProposerError(HeadscriptError):
    """A proposer cannot be asked at all: no key or a refused one, a limit out of bounds, no known price."""


class PluginError(HeadscriptError):
    """A table has no entry of this name, or an installed package cannot add the one that it brings."""


class WireError(HeadscriptError):
    """Text that does not spell a value of the type it should; names the place."""


class SettingsError(HeadscriptError):
    """Environment variables that do not make sense together."""


class DecisionsError(HeadscriptError):
    """The file of decisions cannot be read, or contradicts the workspace."""


class WorkspaceError(HeadscriptError):
    """The workspace folder cannot be opened or written."""


class WorkspaceBusy(WorkspaceError):
    """Another process holds the workspace's database."""

    exit_code = 3


class WorkspaceTooNew(WorkspaceError):
    """The workspace was written by a later version of Headscript."""


class JobError(HeadscriptError):
    """A background job failed."""

    exit_code = 4


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a program's source.

    Lines and columns count from 1, as editors show them.
    """

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class ProgramError(HeadscriptError):
    """Source text that is not a program; `problems` lists everything wrong with it, in source order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the machine or its device ran out; torch says it of the CPU in words alone."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError) and any(words in str(error).lower() for words in _NO_MEMORY)
    )

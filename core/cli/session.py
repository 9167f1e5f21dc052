"""An open workspace as the commands see it. What is slow to import waits until one is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from core.cli.terminal import Terminal
from core.errors import ModelError, WorkspaceError
from core.models.names import model_named
from core.settings import Settings
from core.types import ModelInfo

if TYPE_CHECKING:
    from core.jobs import Jobs
    from core.store import JobRecord, Workspace


@dataclass(frozen=True)
class Session:
    """An open workspace, its jobs, and a terminal to report to."""

    workspace: Workspace
    runner: Jobs
    settings: Settings
    terminal: Terminal

    def follow(self, job: str) -> JobRecord:
        """Show a job's progress until it ends. An interrupt stops the job; it can be resumed."""
        from core.jobs.crew.cluster import by_node

        try:
            with self.terminal.following(lambda: by_node(self.runner.nodes(job))) as show:
                record = self.runner.wait(job, show=show)
        except KeyboardInterrupt:
            self.runner.cancel(job)
            raise
        for note in [*self.runner.notes(job), *by_node(self.runner.nodes(job))]:
            self.terminal.say(note)
        return record

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block that reads what jobs made; what is missing of a demo half built is told to be that."""
        try:
            yield
        except WorkspaceError as error:
            if type(error) is WorkspaceError and self.runner.is_demo_unfinished():
                raise WorkspaceError(
                    f"{error}. The demo is not built to its end; run `demo` again, which goes on where it "
                    "stopped"
                ) from None
            raise

    def resolve(self, info: ModelInfo, refit: bool = False) -> None:
        """Have programs resolved, where that is missing or already begun; see `Jobs.start_resolving`."""
        job = self.runner.start_resolving(info, refit)
        if job is not None:
            self.follow(job)
            job = self.runner.start_resolving(info)  # where best programs have become others meanwhile
        if job is not None:
            self.follow(job)

    def model(self, name: str | None) -> ModelInfo:
        """The model called `name` (or with that id), else the latest; raises ModelError if there is none."""
        models = self.workspace.models.all()
        if not models:
            raise ModelError(
                "the workspace holds no model yet; run `demo`, or `extract --model M --corpus FILE`"
            )
        if name is None:
            return models[0]
        return model_named(name, models)


Now = Annotated[Session, Parameter(parse=False)]  # a command that needs the workspace to itself
Given = Annotated[Settings, Parameter(parse=False)]  # one that only needs to know what was given
Model = Annotated[
    str | None, Parameter(help="a model of the workspace; the latest unless given", metavar="M")
]


@contextmanager
def session(settings: Settings) -> Iterator[Session]:
    """The workspace of `settings`, held until the block ends."""
    from core.jobs import Jobs
    from core.store import Workspace

    workspace = Workspace.open(settings.workspace)
    terminal = Terminal()
    if workspace.database.read_only:
        terminal.say("the workspace cannot be written, so it is only read")
    try:
        yield Session(workspace, Jobs(workspace, settings), settings, terminal)
    finally:
        workspace.close()

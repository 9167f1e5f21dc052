"""What can be asked: models, heads, programs, scores, audits, verdicts, passages, attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from core import __version__
from core.errors import WorkspaceError
from core.notebook import WorkspaceReader, frames
from core.notebook.api import answers
from core.store.attention import to_bytes
from core.types import Split

Row = TypeVar("Row", bound=BaseModel)
Responses = dict[int | str, dict[str, Any]]

_MOST_ROWS = 10_000
_MISSING: Responses = {404: {"model": answers.Problem, "description": "There is no such thing"}}
_PACKED: Responses = {
    200: {
        "description": "Little-endian float16: the lower triangle by rows; all cells where X-Shape is `full`",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "X-Tokens": {"schema": {"type": "string"}, "description": "n, of a map n x n"},
            "X-Shape": {"schema": {"type": "string", "enum": ["lower triangle", "full"]}},
        },
    }
}

Name = Annotated[str, Path(min_length=1, max_length=200)]
HeadName = Annotated[str, Path(pattern=r"^L[0-9]{1,4}H[0-9]{1,4}$", description="such as L7H3")]
OneHead = Annotated[str | None, Query(pattern=r"^L[0-9]{1,4}H[0-9]{1,4}$", description="one head alone")]
OneSplit = Annotated[Split | None, Query(description="one split alone")]
First = Annotated[int, Query(ge=0, le=10**9, description="rows to pass over")]
Count = Annotated[int, Query(ge=1, le=_MOST_ROWS, description="rows to give")]


def reader(request: Request, model: Name) -> Iterator[WorkspaceReader]:
    """The workspace as it is now, at this model."""
    state = request.app.state
    with state.snapshots.lent() as snapshot:
        yield WorkspaceReader(snapshot, state.settings, model)


Reader = Annotated[WorkspaceReader, Depends(reader)]
router = APIRouter()
of_model = APIRouter(prefix="/models/{model}", responses=_MISSING)


@router.get("/state")
def state(request: Request) -> answers.State:
    """That the API answers."""
    with request.app.state.snapshots.lent() as snapshot:
        return answers.State(version=__version__, models=len(snapshot.workspace.models.all()))


@router.get("/models")
def models(request: Request) -> list[answers.Model]:
    """Every model of the workspace, the latest first."""
    with request.app.state.snapshots.lent() as snapshot:
        return _rows(answers.Model, frames.models(snapshot.workspace))


@of_model.get("/heads")
def heads(study: Reader, split: Split = Split.TEST) -> list[answers.HeadSummary]:
    """Every head's best program, chosen on validation, with its score on a split."""
    return _rows(answers.HeadSummary, study.best(split))


@of_model.get("/heads/{head}")
def head(study: Reader, head: HeadName) -> answers.Head:
    """A head, every program that was scored on it, and what audits found of the best."""
    one = study.head(head)
    programs = _rows(answers.ProgramScores, one.scores())
    figures = _rows(answers.Figure, one.audits())
    best = programs[0].program_id if programs and programs[0].validation is not None else None
    return answers.Head(layer=one.id.layer, head=one.id.head, best=best, programs=programs, audits=figures)


@of_model.get("/heads/{head}/attention/{sentence}", response_class=Response, responses=_PACKED)
def attention(
    study: Reader,
    head: HeadName,
    sentence: Name,
    of: Annotated[
        Literal["head", "program"], Query(description="the head's, or its best program's")
    ] = "head",
) -> Response:
    """The attention of a head on a passage (by its id), or what its best program gives instead."""
    one, passage = study.head(head), study.passage(sentence)
    weights = one.attention(passage) if of == "head" else one.predicted(passage)
    is_causal = study.model.is_causal
    told = {"X-Tokens": str(len(weights)), "X-Shape": "lower triangle" if is_causal else "full"}
    return Response(to_bytes(weights, is_causal), media_type="application/octet-stream", headers=told)


@of_model.get("/programs")
def programs(study: Reader, first: First = 0, count: Count = 1000) -> list[answers.Program]:
    """Every program of the library, the one that fits some head best first."""
    return _rows(answers.Program, study.programs().iloc[first : first + count])


@of_model.get("/programs/{program}")
def program(study: Reader, program: Name) -> answers.Program:
    """One program of the library."""
    every = study.programs()
    found = _rows(answers.Program, every[every.program_id == program])
    if not found:
        raise WorkspaceError(f"the library has no program {program!r}")
    return found[0]


@of_model.get("/scores")
def scores(
    study: Reader,
    split: OneSplit = None,
    head: OneHead = None,
    program: Annotated[str | None, Query(max_length=200, description="one program alone")] = None,
    first: First = 0,
    count: Count = 1000,
) -> list[answers.Score]:
    """Programs on heads, by head, program and split."""
    named = None if head is None else study.head(head).id
    found = study.workspace.library.scores(study.model.id, split, named, program, (first, count))
    return _rows(answers.Score, found)


@of_model.get("/audits")
def audits(
    study: Reader,
    resolved: Annotated[bool, Query(description="with programs in the place of the heads looked at")] = False,
) -> list[answers.Standing]:
    """Where each audited program stands on the ladder, given the heads that it looks at or resolved."""
    return _rows(answers.Standing, study.audits(resolved))


@of_model.get("/verdicts")
def verdicts(study: Reader) -> list[answers.Verdict]:
    """Every reviewer's word on each program of a head that stands, the oldest first."""
    return _rows(answers.Verdict, study.verdicts())


@of_model.get("/sentences")
def sentences(study: Reader, split: OneSplit = None) -> list[answers.Sentence]:
    """The model's passages."""
    return _rows(answers.Sentence, study.sentences(split))


@of_model.get("/sentences/{sentence}/tokens")
def tokens(study: Reader, sentence: Name) -> answers.Tokens:
    """A passage's tokens, one for each row and column of its maps."""
    passage = study.passage(sentence)
    return answers.Tokens(sentence_id=passage.id, tokens=list(study.examiner(passage).tokens(passage)))


def _rows(kind: type[Row], frame: pd.DataFrame) -> list[Row]:
    return [kind.model_validate(row) for row in frames.plain(frame)]

"""The command `figure`: a head beside its program on a passage, as a file for paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from core.cli.exchange import hand_out
from core.cli.options import number, whole_number
from core.cli.session import Model, Now, Session
from core.errors import WorkspaceError
from core.types import Bounds, HeadId, Json, ModelInfo, Split

if TYPE_CHECKING:
    from core.language import ParsedProgram
    from core.scoring import Examiner
    from core.sharing.figure import Comparison


def figure(
    head: Annotated[str, Parameter(help="such as L7H3")],
    /,
    *,
    now: Now,
    out: Annotated[Path, Parameter(help="the file to write: .pdf, .svg, .png or .csv", metavar="FILE")],
    sentence: Annotated[
        str | None,
        Parameter(
            help="the first passage that contains this text; a typical one unless given", metavar="TEXT"
        ),
    ] = None,
    program: Annotated[
        Path | None, Parameter(help="a program's file; the head's best unless given", metavar="FILE")
    ] = None,
    first: Annotated[int, whole_number("tokens of the passage that are shown", Bounds(above=1))] = 24,
    width: Annotated[float, number("inches; 3.25 is a column, 6.75 a page", Bounds(least=1, most=40))] = 6.75,
    font: Annotated[float, number("size of the letters, in points", Bounds(least=2, most=40))] = 8,
    model: Model = None,
) -> Json:
    """Draw a head, its program and their difference on a passage, at paper size.

    Colours are on a square-root scale, as in the app. A .csv file holds the numbers instead.

    Example: python -m core figure L7H3 --out figure.pdf

    Example: python -m core figure L7H3 --sentence "the cat" --first 16 --out figure.svg
    """
    from core.sharing.figure import figure_bytes, form_of

    try:
        form, at = form_of(out), HeadId.parse(head)
    except ValueError as error:
        raise WorkspaceError(str(error)) from None
    info = now.model(model)
    if at not in info.head_ids():
        raise WorkspaceError(f"{info.title} has no head {at}; it has {info.layers} x {info.heads}")
    found = _comparison(now, info, at, _program(now, info, at, program), sentence, first)
    held, told = figure_bytes(found, form, width, font)
    hand_out(out, held)
    if told:
        now.terminal.say(told)
    return {"file": str(out), "head": str(at), "tokens": len(found.tokens), "caption": found.caption}


def _program(now: Session, info: ModelInfo, head: HeadId, given: Path | None) -> ParsedProgram:
    """The program of a file, else the head's best; raises WorkspaceError where it has none."""
    from core.cli.programs import read_program
    from core.language import parse

    if given is not None:
        return parse(read_program(given))
    best = now.workspace.library.parsed_best(info.id)
    if head not in best:
        raise WorkspaceError(f"{head} has no program; run `synthesize --heads {head}` or give --program FILE")
    return best[head]


def _comparison(
    now: Session,
    info: ModelInfo,
    head: HeadId,
    program: ParsedProgram,
    text: str | None,
    first: int,
) -> Comparison:
    """Head and program on the passage that is asked for; raises WorkspaceError where there is none."""
    from core.sharing.figure import Comparison

    examiner = _examiner(now, info, text)
    (example,) = examiner.compare(head, program, worst=0).examples  # the typical one
    if example.failure is not None:
        raise WorkspaceError(f"the program fails on this passage: {example.failure.detail}")
    tokens = examiner.tokens(example.sentence)
    n, shown = len(tokens), min(first, len(tokens))
    part = f"the first {shown} of {n} tokens" if shown < n else f"{n} tokens"
    given = f", given {len(program.looks)} other heads" if program.looks else ""
    return Comparison(
        f"{info.title} {head}",
        tokens[:shown],
        example.head[:shown, :shown],
        example.program[:shown, :shown],
        f"{example.sentence.split} passage, {part}; IoU {example.iou:.2f} on the passage{given}. "
        "Rows are queries, columns keys; square-root scale.",
    )


def _examiner(now: Session, info: ModelInfo, text: str | None) -> Examiner:
    """Over the test passages; over the first of all passages that contains a text, where one is given."""
    if text is None:
        return now.workspace.examiner(info, Split.TEST)
    found = [one for one in now.workspace.models.sentences(info.id) if text in one.text][:1]
    if not found:
        raise WorkspaceError(f"no passage of {info.title} contains {text!r}; give words as they stand in one")
    return now.workspace.examiner_of(info, found)

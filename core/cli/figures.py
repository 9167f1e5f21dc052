"""The command `figure`: what pages draw of heads, runs, hybrids and reviewers, as a file for paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from core.cli.exchange import hand_out
from core.cli.options import number, whole_number
from core.cli.session import Model, Now, Session
from core.errors import WorkspaceError
from core.types import Bounds, HeadId, Json, MapColour, ModelInfo, Sentence, Split

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from core.language import ParsedProgram
    from core.scoring import Examiner, Example
    from core.sharing.figures import Comparison, Drawable
    from core.store import JobRecord

_AUDITS = "; audits add to them"


def figure(
    what: Annotated[
        str,
        Parameter(
            help="a head such as L7H3; or map (all heads), histogram (of IoU), circuit (who looks at whom), "
            "curve (cost against share of heads), table (every head's program), library (every program), "
            "heads (all of them on one passage), audits (heads and audits), points (two figures of audits "
            "against each other), hybrids, costs (of hybrids against their share of heads), hybrid, runs "
            "(that found programs), run, agreement "
            "(of reviewers)"
        ),
    ],
    /,
    *,
    now: Now,
    out: Annotated[
        Path,
        Parameter(help="the file to write: .pdf, .svg, .png, .csv, of a head also .html", metavar="FILE"),
    ],
    sentence: Annotated[
        str | None,
        Parameter(
            help="the first passage that contains this text. Unless given: of a head a typical one, of heads "
            "the first of test, of a hybrid's damage the most damaged",
            metavar="TEXT",
        ),
    ] = None,
    program: Annotated[
        Path | None,
        Parameter(
            help="of a head: a program's file; the head's best unless given. Of a map: this program on "
            "every head",
            metavar="FILE",
        ),
    ] = None,
    of: Annotated[
        str | None,
        Parameter(
            help="of a head: contributions (the maps in signed shares of what the head writes; loads the "
            "model), programs, passages (how well it fits each), figures (of all audits), or an audit, such "
            "as by-genre; its maps in weights unless given. Of a hybrid: genres, programs, calibration, "
            "questions, damage (which heads do it to a token; loads the model), figures, or an audit; of "
            "two: heads, genres. Of a run: climb, heads. Of an "
            "agreement: pairs, or two reviewers, such as 'Ada and Bo'",
            metavar="WHAT",
        ),
    ] = None,
    hybrid_id: Annotated[
        str | None,
        Parameter(name="--hybrid", help="its id, or how it starts; the latest unless given", metavar="ID"),
    ] = None,
    to: Annotated[
        str | None,
        Parameter(help="of a hybrid: another, by its id, with which it is compared", metavar="ID"),
    ] = None,
    run_id: Annotated[
        str | None,
        Parameter(
            name="--run",
            help="of a run: its id, or how it starts, as the folder in jobs/ is called; the latest that "
            "found a program unless given",
            metavar="ID",
        ),
    ] = None,
    across: Annotated[str, Parameter(help="of points: a figure of an audit", metavar="FIGURE")] = "IoU",
    up: Annotated[str, Parameter(help="of points: another", metavar="FIGURE")] = "output error",
    at: Annotated[
        str | None,
        Parameter(
            help="of heads: a query and a key, such as 12.5, by whose weight they are ranked. Of a hybrid's "
            "damage: a token, such as 12; the most damaged unless given",
            metavar="PLACE",
        ),
    ] = None,
    first: Annotated[
        int, whole_number("of a head: tokens of the passage that are shown", Bounds(above=1))
    ] = 24,
    colour: Annotated[
        MapColour, Parameter(help="of a map: what its colours tell of a head's program")
    ] = "iou",
    lit: Annotated[
        str | None, Parameter(help="of a circuit: only the arrows of this head", metavar="HEAD")
    ] = None,
    width: Annotated[float, number("inches; 3.25 is a column, 6.75 a page", Bounds(least=1, most=40))] = 6.75,
    font: Annotated[float, number("size of the letters, in points", Bounds(least=2, most=40))] = 8,
    model: Model = None,
) -> Json:
    """Draw a head beside its program, all heads, a chart or a table, at paper size.

    A head's maps are on a square-root scale, as in the app. A .csv file holds the numbers instead, an .html
    file a head to be walked through in a browser, which needs nothing else.

    Example: python -m core figure L7H3 --out figure.pdf

    Example: python -m core figure L7H3 --sentence "the cat" --first 16 --out figure.svg

    Example: python -m core figure L7H3 --of contributions --out shares.pdf

    Example: python -m core figure map --colour lift --width 3.25 --out map.pdf

    Example: python -m core figure L7H3 --of by-genre --out genres.pdf

    Example: python -m core figure hybrid --hybrid 3f2a --to 91bc --out apart.pdf

    Example: python -m core figure heads --sentence "the cat" --at 12.5 --out heads.pdf
    """
    from core.sharing.figures import figure_bytes, form_of
    from core.sharing.figures.made import SUBJECTS, of_workspace

    info, subject = now.model(model), what.lower()
    size, is_signed = (width, font), of == "contributions"
    try:
        lit_head = HeadId.parse(lit) if lit else None
        draws: dict[str, Callable[[], Drawable]] = {
            one: partial(of_workspace, now.workspace, info, one, colour, lit_head, (across, up))
            for one in SUBJECTS
        }
        draws["heads"] = partial(_all_heads, now, info, sentence, at)
        draws["hybrid"] = partial(_of_hybrid, now, info, hybrid_id, to, of, sentence, at)
        draws["runs"] = partial(_runs, now, info)
        draws["run"] = partial(_of_run, now, info, run_id, of)
        draws["agreement"] = partial(_of_reviewers, now, info, of)
        if program is not None:
            draws["map"] = partial(_program_map, now, info, program)
        is_one = subject not in draws
        form = form_of(out, ("html",) if is_one and (is_signed or not of) else ())
        head = _head(what, draws) if is_one else None
    except ValueError as error:
        raise WorkspaceError(str(error)) from None
    if head is None:
        with now.reading():
            return _hand_out(now, out, draws[subject](), subject, size)
    if lacking := info.lacks(head):
        raise WorkspaceError(f"{head} {lacking}")
    with now.reading():
        chosen = _program(now, info, head, program)
        if of is not None and not is_signed:
            return _hand_out(now, out, _of_head(now, info, head, chosen, of), str(head), size)
        found = _comparison(now, info, head, chosen, sentence, first, is_signed)
    if form == "html":
        from core.sharing.snippet import page

        hand_out(out, page(found).encode())
    else:
        held, told = figure_bytes(found, form, *size)
        hand_out(out, held)
        if told:
            now.terminal.say(told)
    return {"file": str(out), "head": str(head), "tokens": len(found.tokens), "caption": found.caption}


def _head(what: str, others: Iterable[str]) -> HeadId:
    try:
        return HeadId.parse(what)
    except ValueError as error:
        raise ValueError(f"{error}, or name one of {', '.join(others)}") from None


def _hand_out(now: Session, out: Path, found: Drawable, of: str, size: tuple[float, float]) -> Json:
    """Write a figure, width and letters as in `size`; raises ValueError for a form that is none."""
    from core.sharing.figures import figure_bytes, form_of

    held, told = figure_bytes(found, form_of(out), *size)
    hand_out(out, held)
    if told:
        now.terminal.say(told)
    return {"file": str(out), "of": of, "lines": sum(1 for _ in found.numbers()[1])}


def _all_heads(now: Session, info: ModelInfo, text: str | None, at: str | None) -> Drawable:
    """All heads on the first passage that contains a text, ranked at a cell of its map if one is given."""
    from core.sharing.figures.of_passage import heads_on

    cell = _numbers(at, 2, "a query and a key, such as 12.5")
    try:
        return heads_on(now.workspace, info, _passage(now, info, text), (cell[0], cell[1]) if cell else None)
    except IndexError as error:
        raise WorkspaceError(f"--at {at}: {error}") from None


def _numbers(text: str | None, count: int, what: str) -> list[int]:
    """So many whole numbers between points, none where no text is given."""
    parts = [] if text is None else text.split(".")
    if text is not None and not (
        len(parts) == count and all(one.isdecimal() and len(one) < 7 for one in parts)
    ):
        raise WorkspaceError(f"--at {text}: give {what}")
    return [int(one) for one in parts]


def _of_hybrid(
    now: Session,
    info: ModelInfo,
    hybrid_id: str | None,
    to: str | None,
    of: str | None,
    text: str | None,
    at: str | None,
) -> Drawable:
    """A figure of a hybrid, of its cost by genre unless another is named; of two, of how they differ."""
    from core.cli.hybrids import stored_hybrid
    from core.sharing.figures.of_hybrid import hybrid_figures
    from core.sharing.figures.of_two_hybrids import two_figures

    row = stored_hybrid(now, info, hybrid_id)
    if to is not None:
        other = stored_hybrid(now, info, to)
        return _named(two_figures(now.workspace, row, other), of or "heads", f"{row.title} to {other.title}")
    figures = hybrid_figures(now.workspace, info, row)
    if info.is_causal:
        figures["damage"] = partial(_damage, now, info, row, text, at)
    return _named(figures, of or "genres", str(row.title), _AUDITS)


def _damage(now: Session, info: ModelInfo, row: pd.Series, text: str | None, at: str | None) -> Drawable:
    """What each head of a hybrid does to a token; of the most damaged passage unless a text is given."""
    from core.hybrid.switches import Switchboard
    from core.sharing.figures.of_damage import damaged_token
    from core.store.loaded import load_stored

    workspace, place = now.workspace, _numbers(at, 1, "the number of a token, such as 12")
    name = _most_damaged(now, info, row) if text is None else _passage(now, info, text).id
    features, spec = workspace.tokens(info.id).read([name]), workspace.hybrids.spec(row.hybrid_id)
    assert spec is not None
    board = Switchboard(load_stored(info, now.settings, now.terminal.say), spec, features)
    try:
        return damaged_token(
            board,
            f"{info.title}, {row.title}",
            features.surfaces,
            dict(spec.programs),
            place[0] if place else None,
        )
    except IndexError as error:
        raise WorkspaceError(f"--at {at}: {error}") from None


def _most_damaged(now: Session, info: ModelInfo, row: pd.Series) -> str:
    """The passage that a hybrid was measured to damage most; raises WorkspaceError where none is known."""
    from core.sharing.figures.of_damage import added, names_by_tokens

    is_measured = isinstance(row.passages_from, str)
    measured = now.workspace.hybrids.details(row.hybrid_id, row.passages_from).damage if is_measured else ()
    tests = [one.id for one in now.workspace.models.sentences(info.id, Split.TEST)]
    names = names_by_tokens(now.workspace.tokens(info.id).read(tests))
    known = [one for one in measured if one.tokens in names]
    if not known:
        raise WorkspaceError(
            f"{row.title} was not measured on passages of the workspace; run `hybrid --hybrid "
            f"{row.hybrid_id[:6]}`, or give words of a passage with --sentence"
        )
    return names[max(known, key=added).tokens]


def _runs(now: Session, info: ModelInfo) -> Drawable:
    """The table of runs; raises WorkspaceError where there is none."""
    from core.jobs.kinds import KINDS
    from core.sharing.figures.of_runs import run_table, runs_figure

    table = run_table(now.workspace, info, _stored_runs(now, info), lambda job: KINDS[job.kind].title)
    return runs_figure(info, table)


def _of_run(now: Session, info: ModelInfo, run_id: str | None, of: str | None) -> Drawable:
    """A figure of a run, of how its heads' IoU climbed unless another is named."""
    from core.sharing.figures.of_runs import run_figures

    runs = _stored_runs(now, info)
    if run_id is None:
        some = now.workspace.gains.by_job(info.id)
        chosen = [job for job in runs if job.id in some]
    else:
        chosen = [job for job in runs if job.id.startswith(run_id)]
        if not chosen:
            known = ", ".join(job.id for job in runs)
            raise WorkspaceError(f"{info.title} has no run {run_id}; there are {known}")
    if not chosen:
        raise WorkspaceError(f"no run of {info.title} has found a program yet")
    figures = run_figures(now.workspace, info, chosen[0])
    if not figures:
        raise WorkspaceError(f"the run {chosen[0].id} has found no program yet")
    return _named(figures, of or "climb", f"the run {chosen[0].id}")


def _stored_runs(now: Session, info: ModelInfo) -> list[JobRecord]:
    """The model's runs that were not deleted, newest first; raises WorkspaceError where there is none."""
    from core.sharing.figures.of_runs import runs_of

    deleted = set(now.workspace.labels.deleted())
    runs = [job for job in runs_of(now.workspace, info) if job.id not in deleted]
    if not runs:
        raise WorkspaceError(f"{info.title} has no run yet; run `synthesize`")
    return runs


def _of_reviewers(now: Session, info: ModelInfo, of: str | None) -> Drawable:
    """How far reviewers agree, all pairs of them unless two are named."""
    from core.review import Opinions, agreements
    from core.sharing.figures.of_reviewers import PAIRS, agreement_figures

    found = agreements(Opinions(now.workspace.verdicts.opinions(info.id)))
    if not found:
        raise WorkspaceError(f"no program of {info.title} has been decided by two reviewers yet")
    return _named(agreement_figures(info, found), of or PAIRS, "the agreement of reviewers")


def _of_head(now: Session, info: ModelInfo, head: HeadId, program: ParsedProgram, of: str) -> Drawable:
    """A figure of a head that is not its maps."""
    from core.sharing.figures.of_head import beside_maps, passage_histogram

    def passages() -> Drawable:
        ious = now.workspace.examiner(info, Split.TEST).compare(head, program, worst=0).ious
        return passage_histogram(f"{info.title} {head}", ious.tolist(), "Test passages")

    figures = beside_maps(now.workspace, info, head, program.id)
    return _named({"passages": passages, **figures}, of, str(head), _AUDITS)


def _named(figures: Mapping[str, Callable[[], Drawable]], of: str, whose: str, more: str = "") -> Drawable:
    if of not in figures:
        raise WorkspaceError(f"{whose} has no figure {of!r}; there is {', '.join(figures) or 'none'}{more}")
    return figures[of]()


def _program_map(now: Session, info: ModelInfo, path: Path) -> Drawable:
    """A program of the library on every head; raises WorkspaceError where it was not scored."""
    from core.cli.programs import read_program
    from core.language import describe
    from core.scoring import program_of
    from core.sharing.figures.made import program_map

    program = program_of(read_program(path))
    ious = now.workspace.catalogue.ious(info.id, program.id)
    if not ious:
        raise WorkspaceError(f"{path}: this program was not scored on {info.title}; run `import` first")
    return program_map(info, f"{info.title} {program.id[:6]}", describe(program).sentence, ious)


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
    is_signed: bool,
) -> Comparison:
    """Head and program on the passage that is asked for; raises WorkspaceError where there is none."""
    from core.sharing.figures import Comparison

    examiner = _examiner(now, info, text)
    (example,) = examiner.compare(head, program, worst=0).examples  # the typical one
    if example.failure is not None:
        raise WorkspaceError(f"the program fails on this passage: {example.failure.detail}")
    tokens = examiner.tokens(example.sentence)
    maps = _contributions(now, info, head, example) if is_signed else (example.head, example.program)
    passage = f"{example.sentence.split} passage"
    return Comparison.of(info, head, program, tokens, maps, passage, example.iou, first, is_signed)


def _contributions(
    now: Session, info: ModelInfo, head: HeadId, example: Example
) -> tuple[np.ndarray, np.ndarray]:
    """What keys contribute to what the head writes, of head and program; the model says it."""
    from core.audit.contributed import carried, contributed
    from core.store.loaded import load_stored

    features = now.workspace.tokens(info.id).read([example.sentence.id])
    loaded = load_stored(info, now.settings, now.terminal.say)
    return contributed(example.head, example.program, carried(loaded, features, head))


def _examiner(now: Session, info: ModelInfo, text: str | None) -> Examiner:
    """Over the test passages; over the first of all passages that contains a text, where one is given."""
    if text is None:
        return now.workspace.examiner(info, Split.TEST)
    return now.workspace.examiner_of(info, [_passage(now, info, text)])


def _passage(now: Session, info: ModelInfo, text: str | None) -> Sentence:
    """The first passage that contains a text, of test where none is given."""
    splits = [Split.TEST] if text is None else []
    for one in now.workspace.models.sentences(info.id, *splits):
        if text is None or text in one.text:
            return one
    wanted = "is of test" if text is None else f"contains {text!r}"
    raise WorkspaceError(f"no passage of {info.title} {wanted}; give words as they stand in one")

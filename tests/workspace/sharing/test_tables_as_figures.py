"""Tables that pages show, as figures: of audits, a head, a hybrid, a program, runs, reviewers."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from core.audit import Figure, Finding
from core.errors import WorkspaceError
from core.jobs.folder import JobFolder
from core.jobs.place import Place
from core.jobs.tasks import BuildTask
from core.language import describe, parse
from core.sharing.figures import Drawable, figure_bytes
from core.sharing.figures.made import of_workspace
from core.sharing.figures.of_head import beside_maps
from core.sharing.figures.of_hybrid import hybrid_figures
from core.sharing.figures.of_runs import runs_of
from core.store import Label, Workspace
from core.store.findings import StoredFinding, add_finding
from core.store.hybrids import add_downstream, add_evaluation, add_hybrid
from core.types import (
    Action,
    Estimate,
    Evaluation,
    EvaluationDetails,
    HybridProgram,
    MadeHybrid,
    Split,
    TaskAccuracy,
)
from tests.conftest import call_core
from tests.workspace.review.test_doubt import keep_findings

GENRES = (("prose", 0.5), ("$verse$ <b>", None))


def rows(found: Drawable) -> list[list[str]]:
    assert figure_bytes(found, "pdf", 3.25, 8)[0].startswith(b"%PDF")
    return list(csv.reader(io.StringIO(figure_bytes(found, "csv", 3.25, 8)[0].decode())))


def test_audits_of_all_heads_are_a_table_and_points(workspace_copy: Path) -> None:
    cards = keep_findings(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    header, first, *rest = rows(of_workspace(workspace, model, "audits"))
    assert header == ["head", "audits say", "IoU", "text-blind twin", "what is written", "foresees edits"]
    assert first[:3] == [str(cards[0][0]), "explains", "0.7"]
    assert len(rest) == len(cards) - 1
    assert {row[1] for row in rest} == {"position only"}
    header, *points = rows(of_workspace(workspace, model, "points", axes=("IoU", "output error")))
    assert header == ["head", "audits say", "IoU", "output error"]
    assert [row[2:] for row in points] == [["0.7", "0.3"]] * len(cards)
    with pytest.raises(WorkspaceError, match="no figure 'taste'; there are IoU; IoU beyond the twin"):
        of_workspace(workspace, model, "points", axes=("IoU", "taste"))
    workspace.close()


def test_what_an_audit_found_by_genre_is_a_table_of_the_head(workspace_copy: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)[0]
    head, program = best.score.head, best.program.id
    found = Finding(
        "fails",
        "Not of verse.",
        (Figure("IoU of its worst genre", Estimate(0.25)),),
        ("genre", "IoU"),
        GENRES,
    )
    with workspace.database.transaction() as cursor:
        add_finding(cursor, model.id, StoredFinding("by-genre", (head, program), {}, 1.0, found))
    figures = beside_maps(workspace, model, head, program)
    assert list(figures) == ["programs", "figures", "by-genre"]
    assert rows(figures["by-genre"]()) == [["genre", "IoU"], ["prose", "0.5"], ["$verse$ <b>", ""]]
    assert rows(figures["figures"]())[1] == [
        "genre by genre", "fails", "IoU of its worst genre", "0.25", "", "", "",
    ]  # fmt: skip
    scored = workspace.library.head_scores(model.id, head)
    assert [row[0] for row in rows(figures["programs"]())[1:]] == list(scored.summary)
    tested = len(workspace.models.sentences(model.id, Split.TEST))
    workspace.close()

    out = tmp_path / "f.csv"
    drawn = ("figure", str(head), "--out", str(out), "--of")
    assert call_core(*drawn, "by-genre", workspace=workspace_copy).returncode == 0
    assert out.read_text().splitlines()[1] == "prose,0.5"
    assert call_core(*drawn, "passages", workspace=workspace_copy).returncode == 0
    counts = [int(line.split(",")[2]) for line in out.read_text().splitlines()[1:]]
    assert sum(counts) == tested
    refused = call_core(*drawn, "taste", workspace=workspace_copy)
    assert refused.returncode == 2
    assert f"{head} has no figure 'taste'; there is passages, programs, figures, by-genre" in refused.stderr


def test_a_hybrid_has_its_genres_programs_calibration_and_answers(
    workspace_copy: Path, tmp_path: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)[0]
    made = MadeHybrid(
        (HybridProgram(best.score.head, best.program.source),),
        "one",
        1 / 12,
        "cost",
        None,
        ((0, 0.5), (8, 0.25)),
    )
    cost = Evaluation(20.0, 22.0, Estimate(0.1, 0.05, 0.15), Estimate(0.2, 0.1, 0.3), 900, 8, 1)
    with workspace.database.transaction() as cursor:
        name = add_hybrid(cursor, model.id, made)
        add_evaluation(cursor, name, "test", cost, EvaluationDetails({"prose": cost}))
        add_downstream(cursor, TaskAccuracy(name, "piqa", 10, 0.5, (0.4, 0.6), 0.25, (0.1, 0.4), 0.75))
    figures = hybrid_figures(workspace, model, workspace.hybrids.frame(model.id).iloc[0])
    found = {what: rows(figure()) for what, figure in figures.items()}
    assert found["genres"] == [
        ["genre", "increase", "low", "high", "kl", "tokens", "kept"],
        ["prose", "0.1", "0.05", "0.15", "0.2", "900", "1"],
    ]
    assert found["programs"][1][:2] == [str(best.score.head), describe(parse(best.program.source)).sentence]
    assert [row[1:] for row in found["calibration"][1:]] == [["0", "0.5"], ["8", "0.25"]]
    assert found["questions"][1] == ["piqa", "10", "0.5", "0.25", "0.75", "0"]
    workspace.close()

    out = tmp_path / "f.csv"
    assert call_core("figure", "hybrid", "--out", str(out), workspace=workspace_copy).returncode == 0
    assert out.read_text().startswith("genre,increase")
    file = tmp_path / "program.py"
    file.write_text(best.program.source)
    done = call_core("figure", "map", "--program", str(file), "--out", str(out), workspace=workspace_copy)
    assert done.returncode == 0, done.stderr
    by_head = {line.split(",")[0]: line.split(",")[3] for line in out.read_text().splitlines()[1:]}
    assert float(by_head[str(best.score.head)]) == pytest.approx(best.score.iou.value, abs=1e-4)


def test_runs_and_what_one_did_for_its_heads_are_drawn_by_command(
    workspace_copy: Path, tmp_path: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    run = runs_of(workspace, model)[0]
    steps = workspace.gains.of_job(run.id)
    workspace.labels.set(run.id, Label("the first"))
    workspace.close()
    table = drawn(workspace_copy, tmp_path, "runs")
    assert [row["run"] for row in table] == ["the first"]
    assert table[0]["heads"] == f"{len({step.head for step in steps})} of 12"
    lines = drawn(workspace_copy, tmp_path, "run")
    ended = [row["mean IoU"] for row in lines if row["line"] == "after"][-1]
    heads = drawn(workspace_copy, tmp_path, "run", "--run", run.id[:15], "--of", "heads")
    assert {row["head"] for row in heads} == {str(step.head) for step in steps}
    after = [float(row["after"]) for row in heads]
    assert float(ended) == pytest.approx(sum(after) / len(after), abs=1e-4)
    refused = call_core("figure", "run", "--run", "1999", "--out", "f.pdf", workspace=workspace_copy)
    assert refused.returncode == 2
    assert f"llama has no run 1999; there are {run.id}" in refused.stderr

    workspace = Workspace.open(workspace_copy)
    workspace.labels.delete(run.id)
    workspace.close()
    refused = call_core("figure", "run", "--out", "f.pdf", workspace=workspace_copy)
    assert "llama has no run yet; run `synthesize`" in refused.stderr


def test_how_reviewers_agree_is_drawn_by_command(workspace_copy: Path, tmp_path: Path) -> None:
    none = call_core("figure", "agreement", "--out", "f.pdf", workspace=workspace_copy)
    assert (none.returncode, "decided by two reviewers yet" in none.stderr) == (2, True)
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    cards = workspace.library.best_programs(model)[:4]
    for name, words in {"Ada": "aaar", "Bo": "aarr"}.items():
        for card, word in zip(cards, words, strict=True):
            workspace.verdicts.record(model, *card, {"a": Action.ACCEPT, "r": Action.REJECT}[word], name)
    workspace.close()
    (pair,) = drawn(workspace_copy, tmp_path, "agreement")
    assert [pair[name] for name in ("first", "second", "programs", "both accept", "only first")] == [
        "Ada", "Bo", "4", "2", "1",
    ]  # fmt: skip
    assert (pair["only second"], pair["both reject"], pair["κ"]) == ("0", "1", "0.5")
    of_two = drawn(workspace_copy, tmp_path, "agreement", "--of", "Ada and Bo")
    assert [list(row.values()) for row in of_two] == [["Ada accepts", "2", "1"], ["Ada rejects", "0", "1"]]
    wrong = call_core("figure", "agreement", "--of", "Bo", "--out", "f.pdf", workspace=workspace_copy)
    assert "the agreement of reviewers has no figure 'Bo'; there is pairs, Ada and Bo" in wrong.stderr


def test_two_hybrids_and_what_all_cost_are_drawn_by_command(workspace_copy: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    programs = [
        HybridProgram(one.score.head, one.program.source)
        for one in workspace.library.best(model.id, Split.VALIDATION)[:2]
    ]
    names = []
    with workspace.database.transaction() as cursor:
        for count, kl in ((1, 0.2), (2, 0.5)):
            made = MadeHybrid(tuple(programs[:count]), f"of {count}", count / 12, "cost")
            names.append(add_hybrid(cursor, model.id, made))
            cost = Evaluation(20.0, 22.0, Estimate(kl / 2, 0.05, 0.3), Estimate(kl, 0.1, 0.6), 900, 8, 1)
            add_evaluation(cursor, names[-1], "test", cost, EvaluationDetails({"prose": cost}))
    workspace.close()
    two = ("hybrid", "--hybrid", names[0], "--to", names[1])
    (added,) = drawn(workspace_copy, tmp_path, *two)
    assert (added["head"], added["change"], added["before"]) == (str(programs[1].head), "added", "")
    (prose,) = drawn(workspace_copy, tmp_path, *two, "--of", "genres")
    assert [prose[name] for name in ("genre", "first", "second", "difference")] == [
        "prose",
        "0.2",
        "0.5",
        "0.3",
    ]
    costs = drawn(workspace_copy, tmp_path, "costs")
    own = {row["hybrid"]: row["perplexity increase"] for row in costs if "published" not in row["hybrid"]}
    assert own == {"of 1": "0.1", "of 2": "0.25"}
    assert {row["share"] for row in costs if "published" in row["hybrid"]} == {"0.25"}


def test_all_heads_on_a_passage_are_drawn_by_command(workspace_copy: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    passage = workspace.models.sentences(model.id, Split.TEST)[1]
    maps = {head: workspace.attention(model.id).one(head, passage.id) for head in model.head_ids()}
    best = workspace.library.parsed_best(model.id)
    workspace.close()
    asked = ("heads", "--sentence", passage.text[:40])
    at_cell = drawn(workspace_copy, tmp_path, *asked, "--at", "3.1")
    weights = {row["head"]: float(row["weight"]) for row in at_cell}
    assert weights == pytest.approx({str(head): float(map_[3, 1]) for head, map_ in maps.items()}, abs=1e-3)
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    assert re.match(r"\d+: . ", next(said for row in at_cell if (said := row["lines that explain it"])))
    in_all = drawn(workspace_copy, tmp_path, *asked)
    ious = [float(row["IoU here"]) for row in in_all]
    assert ious == sorted(ious)
    assert {row["head"]: row["best program"] for row in in_all} == {
        str(head): describe(program).sentence for head, program in best.items()
    }
    refused = call_core("figure", *asked, "--at", "1.3", "--out", "f.pdf", workspace=workspace_copy)
    assert (refused.returncode, "--at 1.3: token 1 does not look at token 3" in refused.stderr) == (2, True)
    refused = call_core("figure", *asked, "--at", "1", "--out", "f.pdf", workspace=workspace_copy)
    assert "--at 1: give a query and a key, such as 12.5" in refused.stderr


def test_on_a_demo_that_was_interrupted_a_figure_says_to_build_it_to_its_end(
    workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    workspace.database.run("DELETE FROM scores WHERE layer > 0")
    next(workspace_copy.glob("attention/*/layer=02.parquet")).unlink()
    monkeypatch.setenv("HEADSCRIPT_DEMO_MODEL", model.name)
    place = Place(workspace_copy.resolve(), workspace_copy / "models", "cpu")
    task = BuildTask(model.name, "bundled")
    job = JobFolder.create(workspace_copy / "jobs", "build", place, task)
    workspace.jobs.add(job.id, "build", model.id, task.told())
    workspace.jobs.set_state(job.id, "stopped")
    workspace.close()

    def said(*what: str) -> str:
        asked = call_core("figure", *what, "--out", "f.pdf", workspace=workspace_copy)
        assert asked.returncode == 2
        return asked.stderr

    again = "The demo is not built to its end; run `demo` again, which goes on where it stopped"
    assert (
        said("L1H3")
        == f"headscript: L1H3 has no program; run `synthesize --heads L1H3` or give --program FILE. {again}\n"
    )
    assert again in said("curve")
    assert again not in said("L9H9")

    workspace = Workspace.open(workspace_copy)
    workspace.jobs.set_state(job.id, "done")
    workspace.close()
    assert again not in said("L1H3")


def drawn(workspace: Path, folder: Path, *what: str) -> list[dict[str, str]]:
    """A figure by command as a PDF of a column's width; the rows behind it."""
    out = folder / "f.pdf"
    size = ("--width", "3.25", "--font", "7")
    done = call_core("figure", *what, *size, "--out", str(out), workspace=workspace)
    assert done.returncode == 0, done.stderr
    assert width_of(out.read_bytes()) == pytest.approx(3.25, abs=0.01)
    done = call_core("figure", *what, "--out", str(out.with_suffix(".csv")), workspace=workspace)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(out.with_suffix(".csv").read_text())))


def width_of(pdf: bytes) -> float:
    """How wide the page of a PDF is, inches."""
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf)
    assert box is not None
    return float(box[1]) / 72

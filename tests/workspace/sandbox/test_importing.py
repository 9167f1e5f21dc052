"""Programs of other people in a workspace: scored as the language's are, their failures counted and told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audit.table import ready
from core.errors import AuditError, DecisionsError, HybridError, ProgramError
from core.hybrid import load_hybrid
from core.jobs import Jobs
from core.language import parse
from core.sandbox import programs_in
from core.scoring import BASELINES
from core.settings import Settings
from core.sharing.accepted import curated_report
from core.sharing.decisions import export_lines, import_lines
from core.sharing.hybrid_folder import export_hybrid, import_hybrid
from core.store import Workspace, add_scores
from core.store.attention import from_bytes
from core.types import Action, Estimate, HeadId, HybridRequest, Score, Split, is_plain
from tests.conftest import call_core
from tests.sandboxed import needs_locks

pytestmark = needs_locks
TUTORIAL = (Path(__file__).parents[3] / "docs/plain_programs.py").read_text()
OTHERS = '''

def fails_on_commas(sentence, tokenizer):
    """Rests on the first token where there is no comma."""
    if "," in sentence:
        raise ValueError("a comma")
    return first_token(sentence, tokenizer)


def too_small(sentence, tokenizer):
    return "Too Small", np.ones((1, 1))


def asks_for_more(sentence, tokenizer):
    import pandas
    return "Pandas", pandas.DataFrame()
'''


def some_of_the_tutorial(*names: str) -> str:
    found = "\n".join(one.source for one in programs_in(TUTORIAL) if one.name in names)
    return found.replace("from __future__ import annotations\n", "")  # may only stand first


@pytest.fixture(scope="module")
def imported(built: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace that took in the tutorial's programs and three that fail, and what the command said."""
    folder = tmp_path_factory.mktemp("plain")
    workspace = Path(shutil.copytree(built, folder / "workspace"))
    file = folder / "others.py"
    file.write_text(TUTORIAL + OTHERS)
    done = call_core("import", str(file), "--json", workspace=workspace)
    assert done.returncode == 0, done.stderr
    return workspace, json.loads(done.stdout)


@pytest.fixture
def workspace(imported: tuple[Path, dict[str, Any]]) -> Iterator[Workspace]:
    found = Workspace.open(imported[0])
    yield found
    found.close()


def ious(workspace: Workspace, program: str) -> dict[tuple[HeadId, Split], float]:
    (model,) = workspace.models.all()
    return {
        (head, split): row[str(split)]
        for head in model.head_ids()
        for row in workspace.library.head_scores(model.id, head).to_dict("records")
        if row["program_id"] == program
        for split in Split
    }


def id_of(workspace: Workspace, name: str) -> str:
    (found,) = (
        p.id for p in workspace.library.programs() if p.source.startswith(f"# plain Python: {name}\n")
    )
    return found


def test_they_score_what_the_same_programs_of_the_language_score(workspace: Workspace) -> None:
    for name, baseline in (
        ("first_token", "first token"),
        ("previous_token", "previous token"),
        ("uniform", "uniform"),
    ):
        mine = ious(workspace, id_of(workspace, name))
        theirs = ious(workspace, parse(BASELINES[baseline]).id)
        assert len(mine) == 3 * 12
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_failures_are_counted_and_told_and_score_nothing(
    workspace: Workspace, imported: tuple[Path, dict[str, Any]]
) -> None:
    (model,) = workspace.models.all()
    passages = workspace.models.sentences(model.id)
    rows = {row["program"]: row for row in imported[1]["rows"]}
    with_comma = [one for one in passages if "," in one.text]
    assert 0 < len(with_comma) < len(passages)
    assert rows["fails_on_commas"]["failed"] == len(with_comma)
    assert "exception on" in rows["fails_on_commas"]["why"]
    assert "ValueError: a comma" in rows["fails_on_commas"]["why"]
    assert rows["too_small"]["failed"] == rows["asks_for_more"]["failed"] == len(passages)
    assert "its matrix is 1 x 1; the passage has" in rows["too_small"]["why"]
    assert rows["asks_for_more"]["missing"] == "pandas"
    assert "No module named 'pandas'" in rows["asks_for_more"]["why"]
    assert {name: imported[1][name] for name in ("programs", "failed_somewhere", "failed_everywhere")} == {
        "programs": 23,
        "failed_somewhere": 1,
        "failed_everywhere": 2,
    }
    first, partial = (ious(workspace, id_of(workspace, name)) for name in ("first_token", "fails_on_commas"))
    for split in Split:
        own = [one for one in passages if one.split == split]
        failed = sum("," in one.text for one in own)
        for head in model.head_ids():
            assert partial[head, split] <= first[head, split] + 1e-6
            scores = workspace.library.head_scores(model.id, head)
            if split == Split.TEST:
                kept = scores.set_index("program_id").failures
                assert kept[id_of(workspace, "fails_on_commas")] == failed
    assert not any(ious(workspace, id_of(workspace, "too_small")).values())


def test_they_say_where_they_are_from_and_that_nobody_reads_them(workspace: Workspace) -> None:
    (model,) = workspace.models.all()
    listed = workspace.catalogue.programs(model.id, 0.5).set_index("program_id")
    row = listed.loc[id_of(workspace, "first_token")]
    assert (row.origin, row.category, row.summary, row.lookahead) == (
        "plain Python, from others.py",
        "plain Python",
        "Every token looks at the first.",
        True,
    )
    with pytest.raises(ProgramError, match="nothing here can read"):
        parse(row.source)


def test_again_changes_nothing_and_older_workspaces_learn_their_texts(
    imported: tuple[Path, dict[str, Any]], built: Path, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(built, tmp_path / "older"))
    for kept in older.glob("attention/*/t*"):
        if kept.name in ("texts.parquet", "tokenizer.json"):
            kept.unlink()
    file = tmp_path / "one.py"
    file.write_text(some_of_the_tutorial("first_token", "previous_token", "itself"))
    answers = [call_core("import", str(file), "--json", workspace=older) for _ in range(2)]
    first, second = (json.loads(done.stdout)["rows"] for done in answers)
    assert first == second
    assert [row["failed"] for row in first] == [0, 0, 0]
    before = {row["program"]: row["iou"] for row in imported[1]["rows"]}
    assert [row["iou"] for row in first] == [before[row["program"]] for row in first]


def test_where_no_sandbox_is_nothing_runs_until_a_person_says_so(
    imported: tuple[Path, dict[str, Any]], built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.sandbox import lockdown

    monkeypatch.setattr(lockdown, "landlock_version", lambda: 0)  # as of a kernel that has none
    monkeypatch.setenv("HEADSCRIPT_TRUST", "")
    workspace = Path(shutil.copytree(built, tmp_path / "workspace"))
    file = tmp_path / "first.py"
    file.write_text(some_of_the_tutorial("first_token"))
    refused = call_core("import", str(file), workspace=workspace)
    assert refused.returncode == 2
    assert "the kernel has no Landlock" in refused.stderr
    assert "--trust" in refused.stderr
    workspace = Path(shutil.copytree(imported[0], tmp_path / "with plain Python"))
    scored = call_core("score", workspace=workspace)
    assert scored.returncode == 0, scored.stderr
    assert "23 programs left out: plain Python of other people is not run on this machine" in scored.stderr
    trusted = call_core("import", str(file), "--trust", "--json", workspace=workspace)
    assert trusted.returncode == 0, trusted.stderr
    assert "run without a lock" in trusted.stderr
    (row,) = json.loads(trusted.stdout)["rows"]
    assert (row["program"], row["failed"]) == ("first_token", 0)


def test_a_hybrid_of_them_costs_what_the_same_of_the_language_costs(
    imported: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(imported[0], tmp_path / "workspace"))
    workspace = Workspace.open(folder)
    runner = Jobs(workspace, Settings(folder, device="cpu", runner="inline"))
    (model,) = workspace.models.all()
    held_out = workspace.models.sentences(model.id, Split.TEST)
    heads = [HeadId(0, 1), HeadId(1, 2)]
    sources = {one.id: one.source for one in workspace.library.programs()}
    names = ("first_token", "previous_token")
    theirs = dict(zip(heads, (sources[id_of(workspace, name)] for name in names), strict=True))
    ours = dict(zip(heads, (BASELINES[name] for name in ("first token", "previous token")), strict=True))
    measured = {}
    for title, programs in (("theirs", theirs), ("ours", ours)):
        request = HybridRequest(title, "iou", 2, strict=True)
        runner.wait(runner.start_hybrid(model, programs, held_out, "test", request))
        measured[title] = workspace.hybrids.frame(model.id).set_index("title").loc[title]
    assert measured["theirs"].increase == pytest.approx(measured["ours"].increase, rel=1e-4)
    assert measured["theirs"].kl == pytest.approx(measured["ours"].kl, rel=1e-3)
    assert measured["theirs"].kept == 0

    with pytest.raises(HybridError, match="2 programs to choose among: plain Python, which has no constants"):
        runner.start_hybrid(
            model, theirs, held_out, "test", HybridRequest("calibrated", "iou", 2, calibrate=True)
        )
    with pytest.raises(AuditError, match="plain Python, which is run and not read"):
        runner.start_program_audits(model, ready("program"), theirs)
    with pytest.raises(AuditError, match="2 programs of this hybrid: plain Python"):
        runner.start_hybrid_audits(model, ready("hybrid"), str(measured["theirs"].hybrid_id))

    runner.wait(runner.start_curve(model, theirs, held_out[:2], "test", "few", ["iou"], [0.5]))
    curve = workspace.hybrids.curve(model.id)
    assert curve is not None
    assert {row.heads for row in curve.rows} == {2}

    shipped = tmp_path / "shipped"
    export_hybrid(workspace, model, str(measured["theirs"].hybrid_id), shipped)
    assert "2 of the programs are plain Python of other people" in (shipped / "README.md").read_text()
    assert load_hybrid(shipped, model=model.name).spec.programs == tuple(sorted(theirs.items()))
    monkeypatch.setenv("HEADSCRIPT_TRUST", "programs")
    with pytest.raises(HybridError, match="not taken in this way while HEADSCRIPT_TRUST"):
        import_hybrid(workspace, shipped)
    workspace.close()


def test_what_leaves_the_workspace_says_what_it_is(
    workspace: Workspace, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = workspace.models.all()
    head, plain = HeadId(0, 1), id_of(workspace, "first_token")
    workspace.verdicts.record(model.id, head, plain, Action.ACCEPT, "ada")
    lines = list(export_lines(workspace))
    other = Workspace.open(Path(shutil.copytree(built, tmp_path / "other")))
    assert import_lines(other, lines).programs >= 1
    taken = other.library.program(plain)
    assert taken is not None
    assert is_plain(taken.source)
    forged = [line.replace("plain Python, from others.py", "search") for line in lines]
    with pytest.raises(DecisionsError, match="the origin of plain Python is 'search'"):
        import_lines(other, forged)
    monkeypatch.setenv("HEADSCRIPT_TRUST", "programs")
    with pytest.raises(DecisionsError, match="not taken in this way while HEADSCRIPT_TRUST"):
        import_lines(other, lines)
    other.close()
    assert "plain Python" in curated_report(workspace, model)


def test_the_api_tells_runs_and_fails_them_in_words(
    imported: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("fastapi", reason="the API needs FastAPI; pip install -r requirements-serve.txt")
    from tests.workspace.notebook.test_api import asking

    folder = Path(shutil.copytree(imported[0], tmp_path / "workspace"))
    workspace = Workspace.open(folder)
    (model,) = workspace.models.all()
    bests = {HeadId(1, 2): id_of(workspace, "previous_token"), HeadId(1, 3): id_of(workspace, "too_small")}
    with workspace.database.transaction() as cursor:
        for head, name in bests.items():
            scores = [Score(name, head, split, Estimate(0.999), 0.1, 8, 0) for split in Split]
            add_scores(cursor, model.id, scores)
    passage = workspace.models.sentences(model.id, Split.TEST)[0].id
    workspace.close()
    with asking(folder) as client:
        at = f"/models/{model.id}"
        best = {(row["layer"], row["head"]): row for row in client.get(f"{at}/heads").json()}[1, 2]
        assert best["program_id"] == bests[HeadId(1, 2)]
        told = client.get(f"{at}/programs/{best['program_id']}").json()
        assert told["source"].startswith("# plain Python: previous_token\n")
        assert told["origin"] == "plain Python, from others.py"
        answer = client.get(f"{at}/heads/L1H2/attention/{passage}", params={"of": "program"})
        assert answer.status_code == 200, answer.text
        n = int(answer.headers["x-tokens"])
        before = np.eye(n, k=-1)
        before[0, 0] = 1
        np.testing.assert_array_equal(from_bytes(answer.content, n, is_causal=True), before)
        answer = client.get(f"{at}/heads/L1H3/attention/{passage}", params={"of": "program"})
        assert answer.status_code == 404
        assert "the program fails on this passage: its matrix is 1 x 1" in answer.json()["detail"]

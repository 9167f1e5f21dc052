"""Notebooks read a workspace that another process holds: frames, heads, pictures, hybrids."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import HybridError, ModelError, WorkspaceBusy, WorkspaceError
from core.maps import iou_of
from core.notebook import WorkspaceReader, open_workspace
from core.store import Workspace
from core.types import Action, CardId, HeadId, Split
from tests import tiny
from tests.audited import add_first_audits

HOLD = """
import sys
from pathlib import Path
from core.store.database import open_database
database = open_database(Path(sys.argv[1]) / "workspace.duckdb")
print("open", flush=True)
sys.stdin.read()
"""
DECIDED = HeadId(1, 2)


@pytest.fixture(scope="module")
def held(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished workspace with one accepted program, which another process holds."""
    folder = Path(shutil.copytree(built, tmp_path_factory.mktemp("held") / "workspace"))
    workspace = Workspace.open(folder)
    model = workspace.models.all()[0].id
    program = dict(workspace.library.best_programs(model))[DECIDED]
    workspace.verdicts.record(model, DECIDED, program, Action.ACCEPT, "ada", note="reads well")
    card, chain = audited(workspace, model)
    add_first_audits(workspace, model, card, foresight=0.4)
    add_first_audits(workspace, model, card, foresight=0.0, chain=chain)
    workspace.close()
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        yield folder
        process.stdin.close()


def audited(workspace: Workspace, model: str) -> tuple[CardId, str]:
    """The first head's best program, and what it rests on."""
    return next(iter(workspace.library.best_chains(model).items()))


@pytest.fixture(scope="module")
def study(held: Path) -> Iterator[WorkspaceReader]:
    with open_workspace(held) as opened:
        yield opened


def test_it_reads_beside_the_process_that_holds_the_workspace(held: Path, study: WorkspaceReader) -> None:
    with pytest.raises(WorkspaceBusy):
        Workspace.open(held)
    assert len(study.best()) == tiny.LAYERS * tiny.HEADS
    assert not study.refresh()


def test_frames_hold_what_the_workspace_holds(study: WorkspaceReader) -> None:
    ((layer, head, action, reviewer, note),) = study.verdicts()[
        ["layer", "head", "action", "reviewer", "note"]
    ].itertuples(index=False)
    assert (HeadId(layer, head), action, reviewer, note) == (DECIDED, "accept", "ada", "reads well")
    test = study.scores("test")
    everywhere = study.scores()
    assert set(everywhere.split) == {"train", "validation", "test"}
    assert len(everywhere) == 3 * len(test)
    best = study.best().merge(test, on=["layer", "head", "program_id"])
    assert len(best) == tiny.LAYERS * tiny.HEADS
    np.testing.assert_array_equal(best.iou_x, best.iou_y)
    programs = study.programs()
    assert set(test.program_id) == set(programs.program_id[programs.best.notna()])
    assert programs.source.str.startswith("def attend(q, k):").all()
    assert len(study.sentences()) == 32
    assert list(study.models().layers) == [tiny.LAYERS]
    assert study.hybrids().empty


def test_a_head_shows_its_attention_and_its_programs(study: WorkspaceReader, tmp_path: Path) -> None:
    head = study.head("l1h2")
    sentence = study.workspace.models.sentences(study.model.id, Split.TEST)[0]
    attention, predicted = head.attention(sentence), head.predicted(sentence.id)
    np.testing.assert_allclose(attention.sum(1), 1, atol=1e-2)
    evidence = study.examiner(sentence).compare(
        head.id, study.workspace.library.parsed_best(study.model.id)[head.id]
    )
    assert iou_of(attention, predicted) == pytest.approx(float(evidence.ious[0]), abs=1e-3)
    picture = head.show(sentence.text[:12], first=5)
    assert picture.drawn.title == f"{study.model.title} L1H2"
    np.testing.assert_array_equal(picture.drawn.head, attention[:5, :5])
    assert picture._repr_html_().startswith("<iframe")
    picture.save(tmp_path / "head.html")
    assert (tmp_path / "head.html").read_text().startswith("<!doctype html>")
    first = head.show(program="def attend(q, k):\n    return 1.0 if k.is_first else 0.0\n")
    assert (first.drawn.program[:, 0] == 1).all()
    looks = head.show(program='def attend(q, k):\n    return look("L0H1", q, k)\n')
    assert "given 1 head that it looks at" in repr(looks)
    assert head.scores().validation.iloc[0] == head.scores().validation.max()
    assert head.audits().empty


def test_audits_are_given_the_heads_or_resolved(study: WorkspaceReader) -> None:
    (head, program), _ = audited(study.workspace, study.model.id)
    rungs = []
    for resolved in (False, True):
        (row,) = study.audits(resolved).itertuples()
        assert (row.layer, row.head, row.program_id) == (head.layer, head.head, program)
        rungs.append(row.rung)
    assert rungs == ["explains", "fits, does not foresee"]
    figures = study.head(head).audits().set_index("audit")
    assert list(figures.index) == ["foresight", "twin", "written"]
    assert figures.loc["foresight"][["value", "low", "high"]].tolist() == pytest.approx([0.4, 0.35, 0.45])


def test_a_hybrid_is_the_model_with_these_heads_replaced_until_the_block_ends(study: WorkspaceReader) -> None:
    text = "Once there was a dog."
    with study.hybrid() as accepted:
        assert accepted.heads == [DECIDED]
        own, replaced = accepted.logits([text], replaced=False)[0], accepted.logits([text])[0]
        assert (own - replaced).abs().max() > 1e-3
        assert accepted.evaluate([text]).kl.value > 0
    ids = torch.tensor([study.loaded.tokenizer(text).input_ids])
    with torch.inference_mode():
        torch.testing.assert_close(study.loaded.model(ids).logits[0], own, atol=1e-4, rtol=1e-4)
    with study.hybrid("best", heads="L0H*,L2H1") as best:
        assert [str(head) for head in best.heads] == ["L0H0", "L0H1", "L0H2", "L0H3", "L2H1"]
        assert isinstance(best.generate("Once there", tokens=2), str)
    with study.hybrid({"L0H0": "def attend(q, k):\n    return 1\n"}) as own:
        assert own.heads == [HeadId(0, 0)]


def test_what_is_not_there_is_said_in_words(study: WorkspaceReader, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no workspace in"):
        open_workspace(tmp_path)
    with pytest.raises(WorkspaceError, match=r"no passage of .* contains 'zebra crossing'"):
        study.sentence("zebra crossing")
    with pytest.raises(WorkspaceError, match="L9H9 is not in"):
        study.head("L9H9")
    with pytest.raises(WorkspaceError, match=r"L1H. is 4 heads; name one, such as L1H0"):
        study.head("L1H*")
    with pytest.raises(ModelError, match="no model 'other'"):
        open_workspace(study.workspace.folder, model="other")
    for programs, heads in (("nothing", None), ("accepted", "L0H*")):
        with pytest.raises(HybridError), study.hybrid(programs, heads):
            pass


def test_refresh_reads_what_was_written_since(workspace_copy: Path) -> None:
    with open_workspace(workspace_copy) as study:
        head, program = study.workspace.library.best_programs(study.model.id)[0]
        assert study.verdicts().empty
        workspace = Workspace.open(workspace_copy)
        workspace.verdicts.record(study.model.id, head, program, Action.REJECT, "ada", "wrong")
        workspace.close()
        assert study.verdicts().empty
        assert study.refresh()
        assert list(study.verdicts().action) == ["reject"]

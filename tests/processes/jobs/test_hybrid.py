"""Jobs on hybrids, in workers of their own: curves, measurements, refusals."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import HybridError, JobError
from core.jobs import Jobs
from core.jobs.shares import curve_counts
from core.language import parse
from core.models.pretrained import load
from core.settings import Settings
from core.sharing.hybrid_folder import export_hybrid, import_hybrid
from core.store import Workspace
from core.store.hybrids import add_hybrid
from core.types import HeadId, HybridProgram, HybridRequest, MadeHybrid, Sentence, Split
from tests import architectures, tiny
from tests.conftest import TinyModel

UNLIKELY = "def attend(q, k):\n    return 0.123 + k.is_first\n"


class Desk:
    """An owner of a finished workspace of a tiny llama."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace.open(folder)
        self.runner = Jobs(self.workspace, Settings(folder, device="cpu", runner="inline"))
        (self.model,) = self.workspace.models.all()

    @property
    def sources(self) -> dict[HeadId, str]:
        best = self.workspace.library.best(self.model.id, Split.VALIDATION)
        return {found.score.head: found.program.source for found in best}

    @property
    def held_out(self) -> list[Sentence]:
        return self.workspace.models.sentences(self.model.id, Split.TEST)

    def few(self, count: int) -> dict[HeadId, str]:
        return dict(list(self.sources.items())[:count])


@pytest.fixture
def desk(workspace_copy: Path) -> Iterator[Desk]:
    opened = Desk(workspace_copy)
    yield opened
    opened.workspace.close()


def test_a_curve_of_few_programs_ends_with_all_of_them(desk: Desk) -> None:
    job = desk.runner.start_curve(desk.model, desk.few(2), desk.held_out[:2], "test", "few", ["iou"], [0.5])
    desk.runner.wait(job)
    curve = desk.workspace.hybrids.curve(desk.model.id)
    assert curve is not None
    assert {row.heads for row in curve.rows} == {2}
    assert {row.order for row in curve.rows if not row.control} == {"iou"}
    (programs,) = (row.kl for row in curve.rows if not row.control)
    for row in curve.rows:
        if row.control:
            assert row.beyond is not None
            low, high = row.beyond
            assert low <= row.kl - programs + 1e-6
            assert row.kl - programs - 1e-6 <= high


def test_a_card_shows_the_curve_of_its_own_programs_only(desk: Desk, tmp_path: Path) -> None:
    """And how alike two halves of the passages order the heads is kept for the next time."""
    sources = desk.few(3)
    job = desk.runner.start_curve(
        desk.model, sources, desk.held_out[:2], "/home/ada/mine.txt", "few", ["cost"]
    )
    desk.runner.wait(job)
    head = next(iter(sources))
    for name, source in (("same", sources[head]), ("other", UNLIKELY)):
        hybrid = store(desk, {head: source})
        export_hybrid(desk.workspace, desk.model, hybrid, tmp_path / name)
        card = (tmp_path / name / "README.md").read_text()
        assert ("| uniform | control |" in card) == (name == "same")
        assert (tmp_path / name / "curve.svg").exists() == (name == "same")
        assert "/home/ada" not in card + (tmp_path / name / "hybrid.json").read_text()
    ids = {head: parse(source).id for head, source in sources.items()}
    passages, agreement = desk.workspace.hybrids.agreement(desk.model.id, ids) or (0, 0)
    assert passages == len(desk.workspace.models.sentences(desk.model.id, Split.VALIDATION))
    assert -1 <= agreement <= 1
    assert desk.workspace.hybrids.agreement(desk.model.id, {head: parse(UNLIKELY).id}) is None


def test_counts_of_a_curve_are_shares_of_all_heads_and_every_program() -> None:
    assert curve_counts([0.05, 0.1, 1.0], 270, 13) == [13]
    assert curve_counts([0.05, 0.1, 1.0], 270, 20) == [14, 20]
    assert curve_counts([0.0, 0.5, 1.0], 12, 12) == [6, 12]


@pytest.mark.parametrize("count", [None, 0])
def test_nothing_is_started_without_programs(desk: Desk, count: int | None) -> None:
    request = HybridRequest("none", count=count, budget=0.05)
    with pytest.raises(HybridError, match="no head has a program"):
        desk.runner.start_hybrid(desk.model, {}, desk.held_out, "test", request)
    with pytest.raises(HybridError, match="no head has a program"):
        desk.runner.start_curve(desk.model, {}, desk.held_out, "test", "none")
    assert {record.kind for record in desk.runner.refresh()} <= {"extract", "synthesize", "resolve"}


def passage(text: str) -> Sentence:
    return Sentence(text, text, "fresh", Split.TEST)


def store(desk: Desk, sources: dict[HeadId, str], title: str = "from a stranger") -> str:
    """A hybrid that was never measured, as an import leaves it."""
    programs = tuple(HybridProgram(head, source) for head, source in sorted(sources.items()))
    with desk.workspace.database.transaction() as cursor:
        return add_hybrid(cursor, desk.model.id, MadeHybrid(programs, title, share=0.25))


def test_a_stored_hybrid_is_measured_as_often_as_asked(desk: Desk) -> None:
    ahead = "def attend(q, k):\n    return 1.0 + 9.0 * k.next.is_punct\n"
    hybrid = store(desk, dict.fromkeys(desk.sources, ahead))
    texts = [passage("Once upon a time there was a fox."), passage("The fox, who was red, ran away.")]
    for passages, label in ((desk.held_out, "test"), (texts, "mine.txt")):
        desk.runner.wait(desk.runner.start_measuring(desk.model, hybrid, passages, label, strict=True))
    rows = desk.workspace.hybrids.frame(desk.model.id).set_index("passages_from")
    assert set(rows.index) == {"test", "mine.txt"}
    assert set(rows.hybrid_id) == {hybrid}
    assert set(rows.title) == {"from a stranger"}
    assert (rows.kl_low <= rows.kl).all()
    assert (rows.kl <= rows.kl_high).all()
    assert rows.passages.to_dict() == {"test": len(desk.held_out), "mine.txt": 2}
    details = desk.workspace.hybrids.details(hybrid, "mine.txt")
    assert details.strict is not None
    usual, strict = details.strict.usual, details.strict.strict
    assert usual.kl.value == pytest.approx(rows.kl["mine.txt"], rel=1e-3)  # the same passages
    assert abs(strict.kl.value - usual.kl.value) > 1e-4
    damage = details.damage
    read = load(desk.model.name, device="cpu").tokenizer
    for found, text in zip(damage, texts, strict=True):
        assert len(found.tokens) == len(read(text.text)["input_ids"])
        assert len(found.tokens) - 1 == len(found.base) == len(found.changed) == len(found.kl)
    base = np.concatenate([found.base for found in damage])
    changed = np.concatenate([found.changed for found in damage])
    assert np.exp(base.mean()) == pytest.approx(rows.base_ppl["mine.txt"], rel=1e-3)
    assert np.exp(changed.mean()) == pytest.approx(rows.ppl["mine.txt"], rel=1e-3)


def test_a_hybrid_that_is_not_there_is_not_measured(desk: Desk) -> None:
    with pytest.raises(HybridError, match="holds no hybrid nowhere"):
        desk.runner.start_measuring(desk.model, "nowhere", desk.held_out, "test")


def test_heads_measured_one_by_one_are_calibrated_and_keep_their_parents(desk: Desk, tmp_path: Path) -> None:
    near = "def attend(q, k):\n    return 0.9 ** (q.index - k.index) + 5.0 * k.is_first\n"
    sources = dict.fromkeys(list(desk.sources)[:2], near)
    request = HybridRequest("two heads", "measured", 2, calibrate=True, steps=12)
    job = desk.runner.start_hybrid(desk.model, sources, desk.held_out[:2], "test", request)
    desk.runner.wait(job)
    assert any("costs of 2 heads from" in note for note in desk.runner.notes(job))
    made = desk.workspace.hybrids.made(desk.workspace.hybrids.frame(desk.model.id).hybrid_id[0])
    assert made is not None
    assert {program.parent for program in made.programs} == {parse(near).id}
    assert any(program.source != near for program in made.programs)
    assert made.calibration is not None
    assert (made.calibration[0][0], made.calibration[-1][0]) == (0, 12)
    (hybrid,) = desk.workspace.hybrids.frame(desk.model.id).hybrid_id
    assert made == exported_and_imported(desk, hybrid, tmp_path / "shipped")


def exported_and_imported(desk: Desk, hybrid: str, folder: Path) -> MadeHybrid | None:
    """How a hybrid was made, after its maker, who calls the model otherwise, has shipped it."""
    export_hybrid(desk.workspace, desk.model, hybrid, folder)
    desk.workspace.database.run("DELETE FROM hybrids")
    read = json.loads((folder / "hybrid.json").read_text())
    read["model"] |= {"id": "theirs-12345678", "name": "theirs"}
    (folder / "hybrid.json").write_text(json.dumps(read))
    assert import_hybrid(desk.workspace, folder)[0] == hybrid
    return desk.workspace.hybrids.made(hybrid)


def test_another_model_in_the_same_place_is_refused(desk: Desk, tiny_model: TinyModel) -> None:
    hybrid = store(desk, desk.few(1))
    moved = replace(desk.model, name=str(tiny_model("gpt2")))
    request = HybridRequest("one head", "iou", 1)
    for job in (
        desk.runner.start_hybrid(moved, desk.few(1), desk.held_out, "test", request),
        desk.runner.start_measuring(moved, hybrid, desk.held_out, "test"),
    ):
        with pytest.raises(JobError, match=f"is now gpt2-.*, but the workspace's programs are of {moved.id}"):
            desk.runner.wait(job)
    assert desk.workspace.models.all() == [desk.model]


def test_text_too_short_to_predict_is_refused_before_heads_are_chosen(desk: Desk) -> None:
    request = HybridRequest("one head", "cost", 1, calibrate=True)
    job = desk.runner.start_hybrid(desk.model, desk.few(1), [passage("")], "short.txt", request)
    with pytest.raises(JobError, match="no passage has two tokens"):
        desk.runner.wait(job)
    assert desk.runner.folder(job).finished() <= {"model.json", "weights.json"}


def test_a_model_whose_attention_cannot_be_replaced_is_refused_before_any_work(
    desk: Desk, tmp_path: Path
) -> None:
    architectures.build("granite_swa").save_pretrained(tmp_path / "granite")
    tiny.tokenizer().save_pretrained(tmp_path / "granite")
    info = load(str(tmp_path / "granite"), device="cpu").info
    request = HybridRequest("one head", "iou", 1)
    with pytest.raises(HybridError, match="cannot be replaced: with its own attention"):
        desk.runner.start_hybrid(info, desk.few(1), desk.held_out, "test", request)
    assert not any(record.kind == "hybrid" for record in desk.runner.refresh())

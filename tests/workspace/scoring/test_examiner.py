"""Evidence agrees with stored scores; the report shows it on a page that needs nothing else."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.language import parse
from core.scoring import Example, examiner, histogram
from core.sharing.accepted import curated_report
from core.sharing.report import Entry, png, report
from core.store import Workspace
from core.types import Action, Split


@pytest.fixture
def workspace(workspace_copy: Path) -> Iterator[Workspace]:
    opened = Workspace.open(workspace_copy)
    yield opened
    opened.close()


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
def test_a_cards_evidence_has_the_mean_and_interval_of_its_stored_score(
    split: Split, workspace: Workspace
) -> None:
    model = workspace.models.all()[0]
    examiner = workspace.examiner(model, split)
    for card in workspace.cards.cards(model.id, workspace.library.best_programs(model.id)):
        found = examiner.compare(card.head, parse(card.program.source)).fit
        stored = card.fits[split]
        assert (found.value, found.low, found.high) == pytest.approx(
            (stored.value, stored.low, stored.high), abs=1e-4
        )


def test_the_worst_sentences_come_first_and_the_median_is_typical(workspace: Workspace) -> None:
    model = workspace.models.all()[0]
    card = workspace.cards.cards(model.id, workspace.library.best_programs(model.id)[:1])[0]
    examiner = workspace.examiner(model, Split.VALIDATION)
    found = examiner.compare(card.head, parse(card.program.source))
    ordered = sorted(found.ious.tolist())
    words = [(example.word, example.iou) for example in found.examples]
    assert words[:3] == [("worst", pytest.approx(iou)) for iou in ordered[:3]]
    assert words[3] == ("typical", pytest.approx(ordered[len(ordered) // 2]))
    for example in found.examples:
        lower, upper = np.minimum(example.head, example.program), np.maximum(example.head, example.program)
        assert lower.sum() / upper.sum() == pytest.approx(example.iou, abs=1e-3)


def test_long_passages_are_compared_a_few_at_a_time_with_the_same_result(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = workspace.models.all()[0]
    source = "def attend(q, k):\n    return 1 / (q.index - 9) if q.index > 8 else k.index + 1\n"
    together = workspace.examiner(model, Split.VALIDATION).compare(model.head_ids()[5], parse(source))
    monkeypatch.setattr(examiner, "_BATCH_PAIRS", 1)
    monkeypatch.setattr(examiner, "_MAP_BYTES_HELD", 1)
    split_up = workspace.examiner(model, Split.VALIDATION)
    for head in model.head_ids()[:6]:
        apart = split_up.compare(head, parse(source))
    np.testing.assert_allclose(apart.ious, together.ious, atol=1e-6)
    assert 0 < len(apart.failures) == len(together.failures)
    assert [one.sentence for one in apart.examples] == [one.sentence for one in together.examples]
    assert list(split_up._maps) == [head]  # no more than the head in hand
    assert len(split_up._kept) == 1


def test_what_is_evaluated_together_is_bounded_by_its_padded_cells() -> None:
    lengths = np.array([512] * 60 + [20] * 60 + [1500])
    chunks = examiner.batches_of(lengths)
    assert sorted(row for rows in chunks for row in rows) == list(range(121))
    padded = [len(rows) * int(lengths[rows].max()) ** 2 for rows in chunks]
    assert max(padded[:-1]) <= 2**19
    assert chunks[-1] == [120]  # too long for company


def test_a_program_that_fails_everywhere_scores_0_and_says_why(workspace: Workspace) -> None:
    model = workspace.models.all()[0]
    examiner = workspace.examiner(model, Split.VALIDATION)
    found = examiner.compare(
        model.head_ids()[0], parse("def attend(q, k):\n    return 1 / (k.index - k.index)\n")
    )
    assert found.ious.tolist() == [0.0] * len(examiner.sentences)
    assert {failure.kind for failure in found.failures.values()} == {"division"}


def test_a_cards_figures_are_those_of_the_head_scores(workspace: Workspace) -> None:
    model = workspace.models.all()[0]
    for card in workspace.cards.cards(model.id, workspace.library.best_programs(model.id)[:3]):
        scores = workspace.library.head_scores(model.id, card.head)
        row = scores[scores.program_id == card.program.id].iloc[0]
        baseline = scores[scores.origin == "baseline"].test.max()
        assert row.program_id == scores.iloc[0].program_id  # the best on validation
        assert card.iou(Split.TEST) == pytest.approx(row.test)
        assert card.lift(Split.TEST) == pytest.approx(row.test - baseline)


def test_a_histogram_holds_every_value_also_1() -> None:
    assert histogram([0.0, 0.5, 0.99, 1.0], bins=2) == [1, 3]


def test_a_png_has_a_pixel_a_cell_and_nothing_in_the_future() -> None:
    palette = bytes(range(255)) * 3
    weights = np.array([[1, 0], [0.5, 0.5]], np.float32)
    image = Image.open(io.BytesIO(png(weights, True, palette))).convert("RGBA")
    assert image.size == (2, 2)
    assert [image.getpixel((x, y))[3] for y in range(2) for x in range(2)] == [255, 0, 255, 255]
    assert image.getpixel((0, 0))[:3] == tuple(palette[-3:])


def test_the_report_names_what_was_accepted_and_asks_for_nothing_from_outside(workspace: Workspace) -> None:
    model = workspace.models.all()[0]
    best = workspace.library.best_programs(model.id)
    for head, program in best[:2]:
        workspace.verdicts.record(model.id, head, program, Action.ACCEPT, "<b>ada</b>")
    other = workspace.cards.candidates(model.id, best[0][0], 9)[-1]
    assert other != best[0][1]
    workspace.verdicts.record(model.id, best[0][0], other, Action.ACCEPT, "ada")
    workspace.verdicts.record(model.id, *best[2], Action.REJECT, "ada")
    page = curated_report(workspace, model)
    anchors = re.findall(r'<h2 id="([^"]+)"', page)
    assert sorted(anchors) == sorted(f"{head}-{name}" for head, name in [*best[:2], (best[0][0], other)])
    assert re.findall(r'<a href="#([^"]+)"', page) == anchors
    assert page.count("data:image/png;base64,") == 3 * 4
    assert not re.search(r"https?:|src=\"(?!data:)|<script|<link", page)
    assert "<b>ada</b>" not in page


def test_a_map_of_the_report_names_its_tokens_where_they_fit(workspace: Workspace) -> None:
    model = workspace.models.all()[0]
    head, program = workspace.library.best_programs(model.id)[0]
    (card,) = workspace.cards.cards(model.id, [(head, program)])
    workspace.verdicts.record(model.id, head, program, Action.ACCEPT, "ada")
    evidence = workspace.examiner(model, Split.VALIDATION).compare(head, parse(card.program.source))
    verdict = workspace.verdicts.decided(model.id)[head]
    short = replace(evidence.examples[0], tokens=(" One", "\n", " <b>", " "))
    long = replace(short, tokens=(" word",) * 19)

    def drawn(example: Example) -> list[str]:
        entry = Entry(card, verdict, replace(evidence, examples=(example,)))
        return re.findall("<text [^>]*>([^<]*)</text>", report(model, [entry], {}, "now"))

    assert drawn(short) == ["One", "⏎", "&lt;b&gt;", "␣"] * 2
    assert drawn(long) == []

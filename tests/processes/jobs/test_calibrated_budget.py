"""Within a budget: calibration makes room for more heads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core.features import annotate
from core.hybrid import parsed
from core.hybrid.choose import Chooser
from core.jobs.folder import EventWriter, JobFolder
from core.jobs.place import Place
from core.jobs.tasks import Task
from core.jobs.work.calibrate import as_they_are, calibrated_within
from core.language import parse
from core.models.attention import padded_ids
from core.models.pretrained import load
from tests import tiny

TOO_MUCH = "def attend(q, k):\n    return 1.0 + 50.0 * k.is_first\n"
BUDGET = 0.5


@pytest.fixture
def chooser(tmp_path: Path) -> Iterator[Chooser]:
    """A tiny model that has learnt its passages by heart, so that replaced heads raise its perplexity."""
    loaded = load(str(tiny.save(tmp_path / "llama", "llama")), device="cpu")
    features = annotate(tiny.short_passages(16), loaded.tokenizer, loaded.embeddings())
    ids, mask = padded_ids(features, range(len(features)), loaded.device)
    loaded.model.requires_grad_(True)
    optimizer = torch.optim.Adam(loaded.model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loaded.model(
            input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)
        ).loss.backward()
        optimizer.step()
    loaded.model.requires_grad_(False)
    programs = dict.fromkeys(loaded.info.head_ids(), parse(TOO_MUCH))
    with EventWriter(
        JobFolder.create(tmp_path, "hybrid", Place(tmp_path, tmp_path, "cpu"), Task())
    ) as events:
        yield Chooser(loaded, programs, {}, features, events)


def test_more_heads_fit_a_budget_once_they_are_calibrated(chooser: Chooser) -> None:
    heads = chooser.order("cost", 12)
    count = chooser.within(BUDGET, heads)
    assert chooser.increase({head: chooser.programs[head] for head in heads[: count + 1]}) > BUDGET
    found = calibrated_within(chooser, BUDGET, heads, count, chooser.validation)
    assert len(found.spec.programs) > count
    assert {head for head, _ in found.spec.programs} == set(heads[: len(found.spec.programs)])
    assert found.spec != as_they_are(chooser, heads[: len(found.spec.programs)])
    assert chooser.increase(parsed(chooser.loaded.info, found.spec)) <= BUDGET

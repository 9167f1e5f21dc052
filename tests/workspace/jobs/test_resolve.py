"""Best programs that look are resolved by a job of its own, which follows what finds programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.jobs import Jobs
from core.language import parse
from core.maps import iou_of
from core.scoring import Resolved
from core.settings import Settings
from core.store import Workspace
from core.types import Estimate, HeadId, Score, Split

HEAD = HeadId(1, 1)
LOOKS = 'def attend(q, k):\n    return (look("L0H1", q, k) + 0.01) ** 2 + 0.1 * look("L1H0", q, k)\n'


def test_what_looks_is_resolved_and_again_when_the_best_program_below_changes(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    library = workspace.library
    jobs = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))
    (model,) = workspace.models.all()
    assert jobs.start_resolving(model) is None  # nothing looks yet
    parent = dict(library.best_programs(model.id))[HEAD]
    perfect = [Score(parse(LOOKS).id, HEAD, split, Estimate(0.99), 0.0, 9, 0) for split in Split]
    library.save_edit(model.id, LOOKS, parent, perfect)
    assert library.unresolved(model.id) == [HEAD]
    job = jobs.start_resolving(model)
    assert job is not None
    assert jobs.wait(job).state == "done"
    assert library.unresolved(model.id) == []

    sentences = workspace.models.sentences(model.id, Split.TEST)
    features = workspace.tokens(model.id).read([sentence.id for sentence in sentences])
    maps = Resolved(library.parsed_best(model.id), features, model.is_causal)[HEAD]
    attention = workspace.attention(model.id)
    ious = [
        iou_of(attention.one(HEAD, sentence.id), own) for sentence, own in zip(sentences, maps, strict=True)
    ]
    reached = library.resolved(model.id, Split.TEST)[HEAD]
    assert abs(reached.value - np.mean(ious)) < 1e-3
    assert library.resolved_cards(model.id)[HEAD, parse(LOOKS).id][Split.TEST] == reached
    workspace.close()

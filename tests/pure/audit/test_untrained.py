"""The untrained twin: weights drawn anew and put back, and a head that no drawn one equals."""

from dataclasses import replace

import numpy as np
import torch

from core.audit import AUDITS, Passages, ProgramSubject
from core.audit.untrained import ABOVE, OWN, REDRAWN, UntrainedLimits, drawn_anew
from core.language import parse
from core.models.pretrained import LoadedModel
from core.types import Split
from tests.conftest import TinyLoaded
from tests.planted_heads import planted
from tests.pure.audit.test_audits import UNIFORM, Quiet, splits_of
from tests.pure.audit.test_first_audits import HEAD, RULES


def three_splits(loaded: LoadedModel) -> dict[Split, Passages]:
    found = splits_of(loaded, 48)
    held = found[Split.TRAIN]
    half = len(held.sentences) // 2
    parts = {Split.TRAIN: range(half), Split.VALIDATION: range(half, 2 * half)}
    return found | {
        split: replace(
            held, sentences=tuple(held.sentences[row] for row in rows), features=held.features.select(rows)
        )
        for split, rows in parts.items()
    }


def test_weights_are_drawn_with_their_mean_and_deviation_and_put_back(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    before = {name: one.detach().clone() for name, one in loaded.model.named_parameters()}
    with drawn_anew(loaded):
        drawn = {name: one.detach().clone() for name, one in loaded.model.named_parameters()}
    after = dict(loaded.model.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
    name = max((one for one in before if "attn" in one), key=lambda one: before[one].numel())
    assert not torch.equal(before[name], drawn[name])
    assert torch.allclose(before[name].std(), drawn[name].std(), rtol=0.1)
    assert torch.allclose(before[name].mean(), drawn[name].mean(), atol=0.1 * float(before[name].std()))
    embeddings = next(one for one in before if "wte" in one)
    assert torch.equal(before[embeddings], drawn[embeddings])


def test_a_head_that_learned_a_rule_exceeds_heads_of_drawn_weights(
    tiny_loaded: TinyLoaded,
) -> None:
    loaded = tiny_loaded("gpt2")
    audit, limits = AUDITS["untrained"], UntrainedLimits(passages=24)
    with planted(loaded, HEAD, RULES):
        splits = three_splits(loaded)
        subject = ProgramSubject(loaded.info, HEAD, parse(RULES), splits, lambda: loaded)
        finding = audit.run(subject, limits, Quiet())
        trained, drawn = next(iter(subject.shared.of_layers.values()))
    # The head is planted in both models: what it reaches is the same there, so it exceeds all but itself.
    assert finding.figure(OWN).value > 0.1
    np.testing.assert_allclose(drawn[HEAD.head], trained[HEAD.head].mean(), atol=0.02)
    assert finding.figure(ABOVE).value >= 1 - 1 / loaded.info.heads
    assert finding.figure(REDRAWN).value < 0.1


def test_without_validation_passages_no_search_can_be_tried(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    subject = ProgramSubject(loaded.info, HEAD, parse(UNIFORM), splits_of(loaded), lambda: loaded)
    finding = AUDITS["untrained"].run(subject, UntrainedLimits(), Quiet())
    assert finding.verdict == "cannot tell"
    assert "no validation passage" in finding.note

"""The first audits on tiny models of which the truth is known."""

import numpy as np
import pytest
import torch

from core.audit import AUDITS, Finding, ProgramSubject, Standing, standings
from core.audit.contributed import carried, contributed
from core.audit.recording import projections, recording
from core.audit.shared import Shared
from core.audit.sizes import sizes_written
from core.errors import AuditError
from core.features import annotate
from core.language import parse
from core.models.pretrained import LoadedModel, load
from core.types import HeadId, Split
from tests import tiny
from tests.conftest import TinyLoaded, TinyModel
from tests.planted_heads import planted
from tests.pure.audit.test_audits import FAILS, FIRST, UNIFORM, Quiet, splits_of

HEAD = HeadId(1, 2)
RULES = """def attend(q, k):
    weight = 1.0
    if k.is_punct:
        weight += 5.0
    if k.lower == q.lower and k.index < q.index:
        weight += 9.0
    return weight
"""
PROJECTIONS = {  # of layer 1
    "gpt2": "h.1.attn.c_proj",
    "llama": "layers.1.self_attn.o_proj",
    "bert": "encoder.layer.1.attention.output.dense",
}
FIRST_FIVE = ("twin", "off-sink", "written", "foresight", "promise")


def output_projection(loaded: LoadedModel, architecture: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """The module that projects what layer 1's heads write, and its weight, [input, output]."""
    module = loaded.model.base_model.get_submodule(PROJECTIONS[architecture])
    return module, module.weight.T if isinstance(module, torch.nn.Linear) else module.weight


def audited(loaded: LoadedModel, source: str, head: HeadId = HEAD, count: int = 24) -> dict[str, Finding]:
    subject = ProgramSubject(loaded.info, head, parse(source), splits_of(loaded, count), lambda: loaded)
    return {name: AUDITS[name].run(subject, AUDITS[name].limits(), Quiet()) for name in FIRST_FIVE}


def standing(found: dict[str, Finding]) -> Standing:
    return standings({"only": found})["only"]


def test_a_head_that_is_the_program_is_explained(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        found = audited(loaded, RULES)
    assert found["twin"].figure("IoU").value == pytest.approx(1, abs=1e-4)
    assert found["off-sink"].figure("off-sink IoU").value == pytest.approx(1, abs=1e-3)
    assert found["written"].figure("output error").value == pytest.approx(0, abs=1e-6)
    assert found["foresight"].figure("foresight").value == pytest.approx(1, abs=1e-4)
    assert found["twin"].figure("estimated cost").value == pytest.approx(0, abs=1e-6)
    assert all(found[name].verdict == "passes" for name in FIRST_FIVE)
    assert standing(found).rung == "explains"
    assert "foresight 1.00" in standing(found).why


LOOKS = """def attend(q, k):
    return look("L0H1", q, k) + 0.01
"""


def test_a_resolved_program_reads_what_the_program_of_a_head_says(tiny_loaded: TinyLoaded) -> None:
    """A program that copies an earlier head is, resolved, as good as the program of that head."""
    loaded, earlier = tiny_loaded("gpt2"), HeadId(0, 1)
    with planted(loaded, HEAD, RULES):
        found = {}
        for name, behind in (
            ("given", None),
            ("true", RULES),
            ("uniform", UNIFORM),
            ("fails", FAILS.replace('k.text == ","', "k.index == 16")),
        ):
            shared = Shared(
                loaded.info,
                {HEAD: parse(LOOKS.replace(" + 0.01", ""))},
                splits_of(loaded, 24),
                lambda: loaded,
                behind={} if behind is None else {earlier: parse(behind)},
            )
            found[name] = shared.passages, shared.edits(2)
    iou = {name: passages.iou[0].mean() for name, (passages, _) in found.items()}
    foreseen = {name: 1 - edits.apart.sum() / edits.total.sum() for name, (_, edits) in found.items()}
    assert iou["true"] == pytest.approx(1, abs=1e-4)
    assert foreseen["true"] == pytest.approx(1, abs=1e-4)
    assert iou["uniform"] < iou["true"] - 0.1
    assert foreseen["uniform"] == pytest.approx(0, abs=0.05)
    assert iou["given"] != iou["uniform"]  # that head is not the program here
    is_long = found["fails"][0].tokens > 15
    assert 0 < is_long.sum() < len(is_long)
    assert (found["fails"][0].failed[0] == is_long).all()
    assert (found["fails"][0].iou[0][is_long] == 0).all()
    assert not found["given"][0].failed.any()


def test_a_program_that_looks_reads_the_heads_own_attention_after_each_edit(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    splits, program = splits_of(loaded, 24), parse(LOOKS)
    shared = Shared(loaded.info, {HEAD: program, HeadId(0, 1): program}, splits, lambda: loaded)
    assert shared.passages.iou[shared.row(HeadId(0, 1))].min() > 0.8  # itself, but for what is added
    edits = shared.edits(2)
    assert not edits.failed.any()
    row = shared.row(HeadId(0, 1))
    assert edits.apart[row].sum() / edits.total[row].sum() < 0.1


def test_a_head_that_knows_only_position_is_position_only(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, FIRST):
        found = audited(loaded, FIRST)
    assert found["twin"].figure("IoU of the twin").value == pytest.approx(1, abs=1e-5)
    assert found["twin"].verdict == "fails"
    assert found["foresight"].verdict == "cannot tell"
    assert "hardly reacts" in found["foresight"].note
    assert standing(found).rung == "position only"


@pytest.mark.parametrize(("source", "reached"), [(FIRST, 1.0), (RULES, None)])
def test_the_twin_is_compared_on_validation_too_and_test_passages_change_nothing(
    tiny_loaded: TinyLoaded, source: str, reached: float | None
) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, source):
        splits = splits_of(loaded, 24)
        held = {Split.TRAIN: splits[Split.TRAIN], Split.VALIDATION: splits[Split.TEST]}
        shared = Shared(loaded.info, {HEAD: parse(UNIFORM)}, held, lambda: loaded)
        ious = shared.twins_held_out[HEAD]  # there is no test passage to read
        on_test = Shared(loaded.info, {HEAD: parse(UNIFORM)}, splits, lambda: loaded)
        same = on_test.passages.twin_iou[0]
    assert on_test.twins_held_out == {}
    np.testing.assert_allclose(np.sort(ious), np.sort(same), atol=1e-4)  # a reader has an order of its own
    if reached is not None:
        assert ious.mean() == pytest.approx(reached, abs=1e-5)


def test_a_program_that_never_moves_does_not_foresee(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        found = audited(loaded, UNIFORM)
    assert found["foresight"].verdict == "fails"
    assert found["foresight"].figure("foresight").value == 0
    for text in found["foresight"].shaded:  # of the head, and of the program
        states = text.states
        assert list(states) == ["before", "change", "after"]
        assert sum(states["before"].values) == pytest.approx(1, abs=5e-3)
        assert sum(states["after"].values) == pytest.approx(1, abs=5e-3)
        swapped = [
            at for at, (one, other) in enumerate(zip(states["before"].tokens, text.tokens, strict=True))
            if one != other
        ]  # fmt: skip
        assert len(swapped) == 1


def test_of_a_head_that_writes_nothing_nothing_can_be_said(tiny_model: TinyModel) -> None:
    loaded = load(str(tiny_model("llama")), device="cpu")  # of its own, since it is changed
    values = loaded.model.model.layers[HEAD.layer].self_attn.v_proj
    with torch.no_grad():
        values.weight[8:] = 0  # the second of two groups: heads 2 and 3
    found = audited(loaded, UNIFORM)
    assert found["written"].verdict == "cannot tell"
    assert "writes nothing" in found["written"].note
    assert standing(found).rung == "untestable"


def test_weights_that_are_no_numbers_are_told_not_scored(tiny_model: TinyModel) -> None:
    loaded = load(str(tiny_model("gpt2")), device="cpu")
    splits = splits_of(loaded, 24)
    with torch.no_grad():
        loaded.model.transformer.h[1].attn.c_attn.weight[:] = float("nan")
    subject = ProgramSubject(loaded.info, HEAD, parse(UNIFORM), splits, lambda: loaded)
    found = {name: AUDITS[name].run(subject, AUDITS[name].limits(), Quiet()) for name in FIRST_FIVE}
    assert {finding.verdict for finding in found.values()} == {"cannot tell"}
    assert standing(found).rung == "untestable"


def test_passages_on_which_a_program_fails_are_counted_and_shown(tiny_loaded: TinyLoaded) -> None:
    found = audited(tiny_loaded("gpt2"), FAILS)
    for name in FIRST_FIVE:
        assert "The program fails on" in found[name].note, name


def test_too_few_passages_decide_nothing(tiny_loaded: TinyLoaded) -> None:
    found = audited(tiny_loaded("gpt2"), UNIFORM, count=8)
    assert found["twin"].verdict == "cannot tell"
    assert "4 passages are too few to decide" in found["twin"].note
    assert found["twin"].figure("IoU").value > 0
    assert standing(found).rung == "untestable"


@pytest.mark.parametrize("architecture", ["bert", "gemma2", "gpt_oss"])
def test_encoders_and_peculiar_attention_are_audited(architecture: str, tiny_loaded: TinyLoaded) -> None:
    found = audited(tiny_loaded(architecture), UNIFORM, HeadId(0, 1))
    for name, figure in (("twin", "estimated cost"), ("written", "output error"), ("foresight", "foresight")):
        assert np.isfinite(found[name].figure(figure).value), (name, found[name].note)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_what_heads_write_adds_up_to_what_the_layer_writes(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = annotate(tiny.short_passages(4)[:3], loaded.tokenizer, loaded.embeddings())
    written: list[torch.Tensor] = []
    module, weight = output_projection(loaded, architecture)
    hook = module.register_forward_hook(lambda m, inputs, output: written.append(output))
    with recording(loaded) as recorder:
        recorder.forward(features, [0])
    hook.remove()
    parts = weight.reshape(tiny.HEADS, -1, weight.shape[-1])
    z = recorder.values[1] @ parts
    outputs = recorder.attention[1] @ z
    assert torch.allclose(
        outputs.sum(1) + module.bias if module.bias is not None else outputs.sum(1), written[0], atol=1e-4
    )
    small = recorder.values[1] @ projections(loaded, features)[1].transpose(1, 2)
    assert torch.allclose((recorder.attention[1] @ small).norm(dim=-1), outputs.norm(dim=-1), atol=1e-4)
    sizes = sizes_written(loaded, features)[1][features.sentences[0]]
    assert torch.allclose(torch.from_numpy(sizes), z[0].norm(dim=-1), atol=1e-4)


def test_estimated_costs_are_those_that_replacing_heads_has(tiny_loaded: TinyLoaded) -> None:
    from core.hybrid import ProgramPatterns
    from core.hybrid.costs import measured_costs

    loaded = tiny_loaded("gpt2")
    splits = splits_of(loaded, 24)
    programs = dict.fromkeys(loaded.info.head_ids(), parse(UNIFORM))
    shared = Shared(loaded.info, programs, splits, lambda: loaded)
    features = splits[Split.TEST].features
    source = ProgramPatterns(programs, True, loaded.device)
    measured = measured_costs(loaded, source, features, range(len(features)))
    estimated = shared.passages.cost.sum(1)
    order = [measured.heads.index(head) for head in shared.heads]
    truth = measured.kl.sum(0)[order]
    assert np.corrcoef(np.log(estimated), np.log(truth))[0, 1] > 0.8


def test_memory_holds_numbers_of_passages_not_their_maps(
    tiny_loaded: TinyLoaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny_loaded("llama")
    splits = splits_of(loaded, 24)
    programs = dict.fromkeys(loaded.info.head_ids(), parse(RULES))
    whole = Shared(loaded.info, programs, splits, lambda: loaded).passages
    monkeypatch.setattr("core.audit.shared._BATCH_TOKENS", 1)  # a passage at a time
    single = Shared(loaded.info, programs, splits, lambda: loaded).passages
    for name in ("iou", "twin_off_sink", "apart", "written", "size"):
        assert getattr(whole, name) == pytest.approx(getattr(single, name), rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_contributions_are_each_keys_share_of_what_the_head_adds_to_the_stream(
    architecture: str, tiny_loaded: TinyLoaded
) -> None:
    loaded = tiny_loaded(architecture)
    features = annotate(tiny.short_passages(4)[:1], loaded.tokenizer, loaded.embeddings())
    with torch.no_grad(), recording(loaded) as recorder:
        recorder.forward(features, [0])
    head = recorder.attention[1][0, 2]
    program = torch.eye(len(head))
    _, weight = output_projection(loaded, architecture)
    z = recorder.values[1][0, 2] @ weight.reshape(tiny.HEADS, -1, weight.shape[-1])[2]  # V_j W_O in full
    output = head @ z
    shares = torch.stack([(z @ one) / one.square().sum() for one in output])

    own, other = contributed(head.numpy(), program.numpy(), carried(loaded, features, HEAD))
    assert np.allclose(own, head * shares, atol=1e-4)
    assert np.allclose(own.sum(1), 1, atol=1e-4)
    assert np.allclose(other, program * shares, atol=1e-4)


def test_a_layer_that_norms_before_it_projects_is_told_not_to_have_contributions(
    tiny_loaded: TinyLoaded,
) -> None:
    loaded = tiny_loaded("gpt2")
    features = annotate(tiny.short_passages(4)[:1], loaded.tokenizer, loaded.embeddings())
    module = loaded.model.base_model.get_submodule(PROJECTIONS["gpt2"])
    gate = module.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 2,))
    try:
        with pytest.raises(AuditError, match="between attention and output projection"):
            carried(loaded, features, HEAD)
    finally:
        gate.remove()

"""Audits of lines, of other heads' programs, and of whether a head matters, where the truth is known."""

import numpy as np
import pytest
import torch

from core.audit import AUDITS, Finding, ProgramSubject, probe_of, ready
from core.audit.rules import rules_of
from core.audit.shared import Shared
from core.audit.whose import WhoseLimits, others
from core.language import parse
from core.models.pretrained import LoadedModel, load
from core.types import HeadId
from tests.conftest import TinyLoaded, TinyModel
from tests.planted_heads import planted
from tests.pure.audit.test_audits import FIRST, UNIFORM, Quiet, splits_of
from tests.pure.audit.test_first_audits import HEAD, RULES

DECORATED = RULES.replace(
    "    return", '    if k.lower == "no such word":\n        weight += 3.0\n    return'
)


def found_of(
    loaded: LoadedModel, name: str, source: str, programs: dict[HeadId, str] | None = None
) -> Finding:
    parsed = {head: parse(text) for head, text in (programs or {}).items()} | {HEAD: parse(source)}
    splits, audit = splits_of(loaded, 24), AUDITS[name]
    probe = probe_of(audit, audit.limits())
    shared = Shared(loaded.info, parsed, splits, lambda: loaded, probes={name: probe} if probe else {})
    subject = ProgramSubject(loaded.info, HEAD, parsed[HEAD], splits, lambda: loaded, shared)
    return audit.run(subject, audit.limits(), Quiet())


def test_rules_are_statements_that_a_program_can_do_without() -> None:
    rules = rules_of(DECORATED)
    assert [rule.line for rule in rules] == [3, 5, 7]  # not `weight = 1.0`, which the others need
    assert rules[0].text == "if k.is_punct: weight += 5.0"
    assert "is_punct" not in rules[0].without.source


def test_true_lines_are_needed_and_a_line_that_does_nothing_is_decorative(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "rules", DECORATED)
    words = {row[0]: row[2] for row in finding.rows}
    assert words == {3: "needed", 5: "needed", 7: "decorative"}
    rows = {row[0]: row for row in finding.rows}
    assert rows[3][4] == 1.0  # all that it moves, it moves rightly
    assert rows[7][3] == 0.0
    assert finding.verdict == "fails"
    with planted(loaded, HEAD, RULES):
        assert found_of(loaded, "rules", RULES).verdict == "passes"


def test_a_program_that_others_cannot_replace_is_its_heads_own(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    heads = [head for head in loaded.info.head_ids() if head != HEAD]
    programs = {head: (FIRST, UNIFORM)[at % 2] for at, head in enumerate(heads)}
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "whose", RULES, programs)
        swapped = found_of(loaded, "whose", FIRST, dict.fromkeys(heads, RULES))
    assert finding.verdict == "passes"
    assert swapped.verdict == "fails"


def test_drawn_programs_are_others_of_their_kind() -> None:
    programs = {HeadId(layer, head): parse(UNIFORM) for layer in range(2) for head in range(3)}
    programs[HeadId(0, 0)] = parse(FIRST)
    drawn = others(HeadId(0, 0), programs, WhoseLimits(draws=2))
    assert {head.layer for head in drawn["same layer"]} == {0}
    assert len(drawn["any head"]) == 2
    assert drawn["same category"] == []
    assert others(HeadId(1, 0), programs, WhoseLimits())["same layer"] == []  # the same program is no other


def test_a_dead_head_is_neither_alive_nor_load_bearing(tiny_model: TinyModel) -> None:
    loaded = load(str(tiny_model("llama")), device="cpu")
    with torch.no_grad():
        loaded.model.model.layers[HEAD.layer].self_attn.v_proj.weight[8:] = 0
    alive, bearing = found_of(loaded, "alive", UNIFORM), found_of(loaded, "load-bearing", UNIFORM)
    assert alive.verdict == bearing.verdict == "fails"
    assert alive.figure("output size, of its layer's mean").value == 0


def test_a_head_that_writes_is_alive_and_shuffles_cost_more_than_itself(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    assert found_of(loaded, "alive", UNIFORM).verdict == "passes"
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "load-bearing", RULES)
    assert finding.verdict == "passes"
    assert finding.figure("estimated cost of shuffled rows").value > 0.001
    assert finding.figure("saved against shuffled rows").value == pytest.approx(1, abs=1e-3)


def test_shuffled_rows_keep_their_weights(tiny_loaded: TinyLoaded) -> None:
    from core.audit.load_bearing import LoadBearingLimits, probe
    from core.audit.shared import Reading

    loaded = tiny_loaded("gpt2")
    uniform = torch.tril(torch.ones(1, 1, 5, 5))
    uniform /= uniform.sum(-1, keepdim=True)
    slopes = torch.randn(2, 1, 1, 5, 5)
    features = splits_of(loaded, 8)
    reading = Reading(
        [HEAD], next(iter(features.values())).features, torch.tensor([5]), True, uniform, uniform, None, None,
        slopes, {}, None,  # type: ignore[arg-type]
    )  # fmt: skip
    costs = probe(reading, LoadBearingLimits())[HEAD]
    assert np.allclose(costs, 0, atol=1e-6)  # uniform rows are the same, however they are shuffled


def test_what_takes_long_is_run_when_it_is_named() -> None:
    assert "rules" not in ready("program")
    assert {"alive", "load-bearing"} <= set(ready("program"))

"""Audits of lines, of other heads' programs, and of whether a head matters, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.audit import AUDITS, Finding, HybridSubject, Passages, ProgramSubject, probe_of, ready
from core.audit.load_bearing import LoadBearingLimits
from core.audit.measures import shuffled
from core.audit.ranks import left_out, mean_tau
from core.audit.rules import rules_of
from core.audit.shared import Shared
from core.audit.six import greedy
from core.audit.slack import SlackLimits, divergence, farthest
from core.audit.sum_and_whole import SumLimits
from core.audit.whose import WhoseLimits, others
from core.language import parse
from core.models.pretrained import LoadedModel, load
from core.types import HeadId, HybridSpec, Split
from tests.conftest import TinyLoaded, TinyModel
from tests.planted_heads import planted
from tests.pure.audit.test_audits import FIRST, UNIFORM, Quiet, splits_of
from tests.pure.audit.test_first_audits import HEAD, RULES

DECORATED = RULES.replace(
    "    return", '    if k.lower == "no such word":\n        weight += 3.0\n    return'
)


def found_of(
    loaded: LoadedModel,
    name: str,
    source: str,
    programs: dict[HeadId, str] | None = None,
    passages: int = 24,
) -> Finding:
    parsed = {head: parse(text) for head, text in (programs or {}).items()} | {HEAD: parse(source)}
    splits, audit = splits_of(loaded, passages), AUDITS[name]
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
    features = next(iter(splits_of(loaded, 8).values())).features
    reading = Reading(
        loaded.info, [HEAD], features, torch.tensor([5]), uniform, uniform, None, None, slopes, {}, None
    )  # type: ignore[arg-type]
    costs = probe(reading, LoadBearingLimits())[HEAD]
    assert np.allclose(costs, 0, atol=1e-6)  # uniform rows are the same, however they are shuffled


def test_what_takes_long_is_run_when_it_is_named() -> None:
    assert "rules" not in ready("program")
    assert {"alive", "load-bearing"} <= set(ready("program"))


def test_another_attention_that_writes_the_same_is_found_as_far_as_can_be() -> None:
    z = torch.tensor([[1.0, 0], [0, 1], [3, 3], [1, 0]])  # the last key carries what the first does
    rows = torch.tensor([[1.0, 0, 0, 0]])
    other = farthest(rows, z, torch.ones(1, 4, dtype=torch.bool), 60, 0.01)
    assert other[0].tolist() == pytest.approx([0, 0, 0, 1], abs=1e-3)
    assert divergence(rows, other).item() == pytest.approx(np.log(2), abs=1e-3)


def test_where_values_tell_all_keys_apart_there_is_no_slack() -> None:
    rows = torch.tensor([[0.5, 0.3, 0.2]])
    other = farthest(rows, torch.eye(3), torch.ones(1, 3, dtype=torch.bool), 60, 0.01)
    assert torch.equal(other, rows)


def test_passages_longer_than_the_heads_dimension_leave_slack(tiny_loaded: TinyLoaded) -> None:
    # 8 dimensions, passages of about 20 tokens
    finding = found_of(tiny_loaded("gpt2"), "slack", UNIFORM, passages=8)
    assert finding.figure("slack").value > 0.1
    assert finding.figure("slack").value <= np.log(2)


def test_tau_is_that_of_kendall() -> None:
    x = torch.tensor([[0.1, 0.2, 0.3, 0.4], [4.0, 3.0, 2.0, 1.0]])
    y = torch.tensor([[1.0, 2.0, 4.0, 3.0], [1.0, 1.0, 2.0, 2.0]])
    sees, rows = torch.ones(1, 2, 4, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    # 5 of 6 pairs alike, 1 not; and all 4 untied pairs of 6 the other way round: -4 / sqrt(6 * 4).
    expected = (4 / 6 - 4 / np.sqrt(24)) / 2
    assert mean_tau(x[None, None], y[None, None], sees, rows).item() == pytest.approx(expected)


def test_leaving_a_key_out_moves_the_output_as_it_says() -> None:
    a, z = torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([[1.0, 0], [0, 2], [1, 1]])
    o = a @ z
    without = torch.tensor([[0.0, 0.6, 0.4]]) @ z
    assert left_out(a, z)[0, 0].item() == pytest.approx((without - o).norm().item())


def test_the_keys_of_a_true_program_are_those_that_count(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "keep-and-drop", RULES)
        ranks = found_of(loaded, "ranks", RULES)
    costs = {(row[0], row[1]): row[2:] for row in finding.rows}
    for program, head, _, _ in costs.values():
        assert program == head  # it is the head
    assert len(finding.figures) == 4
    assert ranks.verdict == "cannot tell"
    same = ranks.figure("program and gradient × attention").value
    assert same == pytest.approx(ranks.figure("head and gradient × attention").value, abs=0.02)


def test_passages_are_chosen_where_error_matters_in_unlike_ways() -> None:
    profiles = np.array([[1.0, 0], [1, 0.01], [0, 1], [0.5, 0.5]])
    assert greedy(np.array([5.0, 4.9, 1.0, np.nan]), profiles, 2) == [0, 2]
    assert greedy(np.array([np.nan, 1.0]), profiles[:2], 3) == [1]


def test_six_passages_are_shown_with_their_errors(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "six", UNIFORM)
    assert [text.title.split(":")[0] for text in finding.shaded] == ["chosen"] * 4 + ["at random"] * 2
    assert sum(row[2] for row in finding.rows) <= 1.001
    assert all(len(text.tokens) == len(text.values) for text in finding.shaded)


def test_a_hybrid_of_one_head_costs_about_what_it_costs_alone(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    spec = HybridSpec.of(loaded.info.id, [(HEAD, UNIFORM), (HeadId(0, 1), UNIFORM)])
    subject = HybridSubject(loaded, spec, splits_of(loaded, 24))
    finding = AUDITS["sum-and-whole"].run(subject, SumLimits(draws=20), Quiet())
    assert [row[0] for row in finding.rows] == [1, 2]
    assert finding.figure("joint over sum, 1 heads").value == pytest.approx(1, abs=0.5)


def test_a_head_that_is_the_program_heeds_every_cue(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "cues", DECORATED)
    rows = {row[0]: row for row in finding.rows}
    assert rows[3][2] > 0  # punctuation was planted, or taken away
    assert rows[3][6] == pytest.approx(1, abs=0.01)
    assert rows[7][2:] == (0, None, None, None, None)
    assert "For 1 no edit was found" in finding.note
    assert finding.figure("foresight on cues").value == pytest.approx(1, abs=0.01)


def test_a_head_that_does_not_look_at_punctuation_heeds_no_such_cue(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    punctuation = (
        "def attend(q, k):\n    weight = 1.0\n    if k.is_punct:\n        weight += 5.0\n    return weight\n"
    )
    with planted(loaded, HEAD, UNIFORM):
        finding = found_of(loaded, "cues", punctuation)
    assert finding.verdict != "passes"
    assert finding.rows[0][4] == pytest.approx(0, abs=1e-4)  # the head does not move


def test_refits_of_a_head_that_is_the_program_agree_and_keep_every_line(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "second-try", RULES.replace("5.0", "2.0"))
    assert finding.verdict == "passes"
    assert finding.figure("IoU").value < 0.99  # as it was given
    assert finding.figure("mean IoU of the refits").low > 0.99  # each finds the truth again
    assert [row[4] for row in finding.rows] == ["5 of 5", "5 of 5"]
    one, other = ([float(value) for value in str(row[3]).split("; ")] for row in finding.rows)
    np.testing.assert_allclose(np.divide(other, one), 9 / 5, rtol=0.1)  # a common factor is free


def test_a_line_that_moves_nothing_is_needed_by_no_refit(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        finding = found_of(loaded, "second-try", DECORATED)
    assert finding.rows[-1][4:] == ("0 of 5", 0.0, 0.0, 0.0)


def test_a_program_without_constants_cannot_be_fitted_again(tiny_loaded: TinyLoaded) -> None:
    finding = found_of(tiny_loaded("gpt2"), "second-try", FIRST)
    assert finding.verdict == "cannot tell"
    assert "no constant" in finding.note


def test_a_genre_without_test_passages_is_named_and_decides_nothing(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    with planted(loaded, HEAD, RULES):
        splits = splits_of(loaded, 48)
        splits[Split.TRAIN] = of_genres(splits[Split.TRAIN], ["verse"])
        splits[Split.TEST] = of_genres(splits[Split.TEST], ["prose", "code"])
        audit, shown = AUDITS["by-genre"], {}
        for source in (RULES, FIRST):
            subject = ProgramSubject(loaded.info, HEAD, parse(source), splits, lambda: loaded)
            shown[source] = audit.run(subject, audit.limits(), Quiet())
    genres = {row[0]: row[1:] for row in shown[RULES].rows}
    assert [genres[genre][:2] for genre in ("code", "prose")] == [("passes", 12), ("passes", 12)]
    assert genres["code"][2] == pytest.approx(1, abs=1e-3)
    assert genres["verse"] == ("no test passage", 0, *[None] * 6)
    assert shown[RULES].verdict == "cannot tell"
    assert "No test passage of verse" in shown[RULES].note
    assert shown[FIRST].verdict == "fails"
    assert "Not better than position in code, prose" in shown[FIRST].note


def of_genres(passages: Passages, genres: list[str]) -> Passages:
    named = (replace(one, genre=genres[at % len(genres)]) for at, one in enumerate(passages.sentences))
    return replace(passages, sentences=tuple(named))


def with_limits(loaded: LoadedModel, name: str, source: str, limits: object) -> Finding:
    parsed = {HEAD: parse(source)}
    splits, audit = splits_of(loaded, 16), AUDITS[name]
    probe = probe_of(audit, limits)
    assert probe is not None
    shared = Shared(loaded.info, parsed, splits, lambda: loaded, probes={name: probe})
    subject = ProgramSubject(loaded.info, HEAD, parsed[HEAD], splits, lambda: loaded, shared)
    return audit.run(subject, limits, Quiet())


def test_shuffles_are_measured_beside_the_program(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    limits = LoadBearingLimits(shuffles=4, measured=3, passages=3)
    with planted(loaded, HEAD, RULES):
        finding = with_limits(loaded, "load-bearing", RULES, limits)
    program = finding.figure("total variation of predictions, program").value
    shuffles = finding.figure("total variation of predictions, shuffled").value
    assert program < 1e-3 < shuffles  # the head is this program, up to the half precision of its maps
    assert finding.figure("measured shuffles no farther than the program").value == 0
    assert "Measured: predictions move by" in finding.note


def test_a_shuffled_row_has_its_weights_on_keys_it_sees() -> None:
    seen = torch.ones(6, 6, dtype=torch.bool).tril()
    seen[5, 1] = False
    own = torch.rand(6, 6).masked_fill(~seen, 0)
    other = shuffled(own, seen, torch.rand(6, 6, generator=torch.Generator().manual_seed(1)))
    assert not other[~seen].any()
    torch.testing.assert_close(other.sort(-1).values, own.sort(-1).values)
    assert not torch.equal(other, own)


def test_what_writes_the_same_is_put_in_the_heads_place(tiny_loaded: TinyLoaded) -> None:
    finding = with_limits(tiny_loaded("gpt2"), "slack", FIRST, SlackLimits(checked=3))
    other = finding.figure("KL with the other attention in its place").value
    program = finding.figure("KL with the program in its place").value
    assert finding.figure("slack").value > 0.1
    assert abs(other) < program / 5  # far from the head's attention, and the model hardly notices

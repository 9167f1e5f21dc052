"""What a program's evaluation may cost, and that what evaluators keep stays bounded."""

from __future__ import annotations

import torch

from core.errors import ProgramError
from core.features import FeatureBuilder
from core.features.kinds import ATTRIBUTES
from core.language import Evaluator, parse
from core.language.tensor import work
from core.language.values import batch as batches
from core.language.values import texts as text_numbers
from core.language.values.texts import Texts
from core.types import Failure

LENGTHS = (4, 12)


def features(lengths=LENGTHS):
    builder = FeatureBuilder()
    for at, n in enumerate(lengths):
        row = {name: attribute.missing for name, attribute in ATTRIBUTES.items()}
        rows = [{**row, "text": f"w{place % 3}"} for place in range(n)]
        builder.add(f"s{at}", list(range(n)), [" w"] * n, rows)
    return builder.build()


def program(expression: str):
    return parse(f"def attend(q, k):\n    return {expression}\n")


def counts(number: int) -> str:
    return " + ".join(f"count(q, text=k.text, index=q.index - {at})" for at in range(number))


def failures(expression: str, max_work: int, lengths=LENGTHS) -> dict[int, Failure]:
    return dict(Evaluator(features(lengths), max_work=max_work).run(program(expression)).failures)


def test_a_whole_programs_work_has_a_limit_however_small_each_operation():
    too_much = Failure("budget", "the whole program touches more than 300,000 elements of one sentence")
    assert failures(counts(20), 300_000) == {}
    assert failures(counts(54), 300_000) == {1: too_much}
    assert failures(counts(54), 300_000, (12, 12)) == {0: too_much, 1: too_much}


def test_a_sentence_fails_whatever_is_evaluated_beside_it_or_was_before():
    evaluator = Evaluator(features((12, 12, 4)), max_work=300_000)
    first, second = (dict(evaluator.run(program(counts(54))).failures) for _ in range(2))
    assert first == second == {row: failures(counts(54), 300_000, (12,))[0] for row in (0, 1)}
    again = Evaluator(features((12,)), max_work=20_000)  # what was kept counts as if it were computed again
    cheap = [dict(again.run(program(counts(2))).failures) for _ in range(3)]
    assert cheap == [{}] * 3
    assert len(again.run(program(" + ".join([counts(1)] * 4))).failures) == 1


def test_an_evaluation_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(work, "MAX_SECONDS", -1.0)
    assert failures("q.index * k.index", 2**30) == {
        row: Failure("timeout", "the program took longer than -1 s") for row in (0, 1)
    }


def test_each_text_is_tested_once_for_each_literal():
    asked = []

    def starts(text: str, part: str) -> bool:
        asked.append((text, part))
        return text.startswith(part)

    texts = Texts(["", "un", "untie"], torch.device("cpu"))
    column = torch.tensor([[[0, 1, 2]]])
    for word in ("un", "t", "un", "x", "t", "un"):
        part = torch.tensor([[[texts.id(word)]]])
        expected = [text.startswith(word) for text in ("", "un", "untie")]
        assert texts.test(starts, column, part).flatten().tolist() == expected
    assert len(asked) == len(set(asked))


def test_what_is_kept_of_programs_is_bounded_and_changes_no_weight(monkeypatch):
    monkeypatch.setattr(text_numbers, "_MAX_LITERALS", 20)
    monkeypatch.setattr(text_numbers, "_MAX_TABLES", 5)
    monkeypatch.setattr(batches, "_MAX_THIN_VALUES", 10)
    evaluator = Evaluator(features())
    for at in range(60):
        literals = ", ".join(f'"w{at + more}"' for more in range(3))
        asked = program(
            f'2 * (k.text in ({literals})) + startswith(k.text, "w{at}") + contains("{at}w1", k.text)'
        )
        assert torch.equal(evaluator.run(asked).weights, Evaluator(features()).run(asked).weights)
    assert len(evaluator.texts._words) <= len(features().texts) + len(ATTRIBUTES) + 20 + 5
    assert len(evaluator.texts._tables) <= 5
    assert all(len(batch._thin) <= 10 for batch in evaluator.batches)


def test_a_source_that_is_too_long_is_refused_before_its_characters_are_looked_at():
    for source in ("\0" * 10_000_000, "é" * 5000, "\n" * 10_000_000):
        try:
            parse(source)
        except ProgramError as error:
            (problem,) = error.problems
            assert "a program has at most 8192" in problem.message
        else:
            raise AssertionError

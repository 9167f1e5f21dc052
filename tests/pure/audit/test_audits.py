"""Audits: what each finds on tiny models, and how one comes to the table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from core.audit import (
    AUDITS,
    Audit,
    Figure,
    Finding,
    HybridSubject,
    Passages,
    ProgramSubject,
    Shaded,
    at_most,
    checked,
    ready,
)
from core.audit.coverage import COVERAGE, CoverageLimits
from core.audit.damage import DAMAGE, DamageLimits
from core.audit.lookahead import LOOKAHEAD, LookaheadLimits
from core.audit.questions import QuestionLimits
from core.errors import AuditError, CorpusError, PluginError
from core.features import annotate
from core.hybrid.perplexity import evaluate_hybrid
from core.language import Looks, parse
from core.models.attention import extract
from core.models.pretrained import LoadedModel
from core.types import AttentionMap, Estimate, HeadId, HybridSpec, Split
from tests import tiny
from tests.conftest import TinyLoaded

FIRST = "def attend(q, k):\n    return k.is_first\n"
UNIFORM = "def attend(q, k):\n    return 1.0\n"
AHEAD = 'def attend(q, k):\n    return 1.0 if k.pos == "VERB" else 0.1\n'
FAILS = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'


class Quiet:
    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass


@dataclass
class Maps:
    """The attention of a tiny model, as a reader hands it out."""

    held: dict[str, np.ndarray] = field(default_factory=dict)  # Sentence.id -> [layer, head, query, key]

    def head(self, head: HeadId) -> Iterable[AttentionMap]:
        for name, weights in self.held.items():
            yield AttentionMap(head, name, weights[head.layer, head.head].astype(np.float32))

    def restricted(self, sentences: Iterable[str]) -> "Maps":
        return Maps({name: self.held[name] for name in sentences})

    def looks(self, sentences: Sequence[str]) -> Looks:
        layers, heads = next(iter(self.held.values())).shape[:2]
        return {
            HeadId(layer, head): [self.held[name][layer, head] for name in sentences]
            for layer in range(layers)
            for head in range(heads)
        }


def splits_of(loaded: LoadedModel, count: int = 8) -> dict[Split, Passages]:
    """Short passages, one half train and the other test."""
    found = {}
    chosen = tiny.short_passages(count)
    for split, some in ((Split.TRAIN, chosen[::2]), (Split.TEST, chosen[1::2])):
        sentences = tuple(replace(sentence, split=split) for sentence in some)
        features = annotate(sentences, loaded.tokenizer, loaded.embeddings())
        maps = {a.sentence: a.weights for a in extract(loaded, features, range(len(features)))}
        found[split] = Passages(sentences, features, Maps(maps), loaded.info.is_causal)
    return found


def program_subject(loaded: LoadedModel, source: str) -> ProgramSubject:
    return ProgramSubject(loaded.info, HeadId(1, 2), parse(source), splits_of(loaded), lambda: loaded)


def hybrid_subject(loaded: LoadedModel, source: str) -> HybridSubject:
    spec = HybridSpec.of(loaded.info.id, [(head, source) for head in loaded.info.head_ids()])
    return HybridSubject(loaded, spec, splits_of(loaded))


def test_the_passages_on_which_a_program_fails_are_counted_with_why(tiny_loaded: TinyLoaded) -> None:
    subject = program_subject(tiny_loaded("gpt2"), FAILS)
    tested = subject.tested
    rows = range(len(tested.sentences))
    fails = [any(t.values["text"] == "," for t in tested.features.tokens(row)) for row in rows]
    finding = COVERAGE.run(subject, CoverageLimits(), Quiet())
    assert 0 < sum(fails) < len(fails)
    assert finding.figure("passages it fails on").value == np.mean(fails)
    assert sum(int(row[1] or 0) for row in finding.rows) == sum(fails)
    ious = tested.examiner.compare(subject.head, subject.program).ious
    assert finding.figure("IoU, failures counted as 0").value == pytest.approx(ious.mean())
    assert finding.figure("IoU where it runs").value == pytest.approx(ious[~np.array(fails)].mean())


def test_a_program_that_always_runs_covers_everything(tiny_loaded: TinyLoaded) -> None:
    finding = COVERAGE.run(program_subject(tiny_loaded("gpt2"), UNIFORM), CoverageLimits(), Quiet())
    assert finding.verdict == "passes"
    assert finding.rows == ()
    assert finding.figure("passages it fails on") == Estimate(0, 0, 0)


def test_without_test_passages_there_is_nothing_to_report_on(tiny_loaded: TinyLoaded) -> None:
    subject = replace(program_subject(tiny_loaded("gpt2"), UNIFORM), splits={})
    with pytest.raises(CorpusError, match="no test passage"):
        COVERAGE.run(subject, CoverageLimits(), Quiet())


def test_damage_is_where_the_loss_grows(tiny_loaded: TinyLoaded) -> None:
    subject = hybrid_subject(tiny_loaded("llama"), UNIFORM)
    finding = DAMAGE.run(subject, DamageLimits(passages=2), Quiet())
    cost = evaluate_hybrid(subject.loaded, subject.spec, subject.tested.features)
    assert finding.figure("increase of perplexity").value == pytest.approx(cost.increase.value)
    assert len(finding.shaded) == 2
    assert finding.shaded[0].tokens == tuple(
        subject.tested.features.surfaces[subject.tested.features.span(0)]
    )
    assert finding.shaded[0].values[0] == 0  # the first token is context only
    growth = [float(row[3] or 0) - float(row[2] or 0) for row in finding.rows]
    assert growth == sorted(growth, reverse=True)


def test_a_hybrid_that_changes_nothing_does_no_damage(tiny_loaded: TinyLoaded) -> None:
    subject = replace(hybrid_subject(tiny_loaded("llama"), UNIFORM))
    alone = HybridSubject(subject.loaded, HybridSpec.of(subject.loaded.info.id, []), subject.splits)
    finding = DAMAGE.run(alone, DamageLimits(), Quiet())
    assert finding.verdict == "passes"
    assert finding.figure("tokens damaged") == Estimate(0, 0, 0)


def test_only_programs_that_look_ahead_can_lean_on_it(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    blind = LOOKAHEAD.run(hybrid_subject(loaded, UNIFORM), LookaheadLimits(), Quiet())
    assert (blind.verdict, blind.figures) == ("passes", ())
    finding = LOOKAHEAD.run(hybrid_subject(loaded, AHEAD), LookaheadLimits(passages=2), Quiet())
    added = finding.figure("KL per token that hiding adds")
    assert added.low <= added.value <= added.high
    assert finding.note.startswith("On 2 passages")


def test_programs_equal_to_a_control_explain_nothing(tiny_loaded: TinyLoaded) -> None:
    subject = hybrid_subject(tiny_loaded("llama"), UNIFORM)
    finding = AUDITS["controls"].run(subject, AUDITS["controls"].limits(), Quiet())
    assert finding.verdict == "fails"
    assert finding.figure("KL beyond it: uniform").value == 0
    assert [row[0] for row in finding.rows] == [
        "programs", "first token", "uniform", "text-blind twin", "random rows", "shuffled"
    ]  # fmt: skip


def test_a_hybrid_that_changes_nothing_answers_as_its_model(tiny_loaded: TinyLoaded, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"goal": "To boil an egg", "sol1": "heat water.", "sol2": "freeze it.", "label": 0}')
    loaded = tiny_loaded("gpt2")
    subject = HybridSubject(loaded, HybridSpec.of(loaded.info.id, []), splits_of(loaded))
    finding = AUDITS["questions"].run(subject, QuestionLimits(path), Quiet())
    assert finding.verdict == "passes"
    assert finding.figure("model right on q.jsonl") == finding.figure("hybrid right on q.jsonl")


def test_an_audit_that_lacks_something_waits_to_be_asked(tmp_path: Path) -> None:
    assert list(ready("hybrid")) == ["lookahead", "damage", "controls", "sum-and-whole"]
    assert list(ready("program")) == [
        *("coverage", "twin", "off-sink", "written", "foresight", "promise", "alive", "load-bearing")
    ]
    with pytest.raises(AuditError, match="give a file of questions"):
        checked("questions", QuestionLimits(), "hybrid")
    with pytest.raises(CorpusError, match="cannot read"):
        checked("questions", QuestionLimits(tmp_path / "nowhere"), "hybrid")


def test_an_audit_of_programs_is_not_one_of_hybrids() -> None:
    with pytest.raises(AuditError, match="coverage is an audit of a program, not of a hybrid"):
        checked("coverage", CoverageLimits(), "hybrid")
    with pytest.raises(AuditError, match="takes its limits as CoverageLimits, not as DamageLimits"):
        checked("coverage", DamageLimits(), "program")
    with pytest.raises(PluginError, match="there are coverage, twin, "):
        checked("no-such", CoverageLimits(), "program")


def test_a_verdict_goes_as_far_as_the_interval() -> None:
    assert at_most(Estimate(0.3, 0.1, 0.5), 0.05) == "fails"
    assert at_most(Estimate(0.01, 0.0, 0.05), 0.05) == "passes"
    assert at_most(Estimate(0.04, 0.0, 0.2), 0.05) == "cannot tell"
    assert at_most(Estimate(0.04)) == "cannot tell"


def test_a_finding_whose_parts_do_not_fit_is_refused() -> None:
    with pytest.raises(PluginError, match="2 columns, but a row of 1"):
        Finding("passes", columns=("a", "b"), rows=((1,),))
    with pytest.raises(PluginError, match="shades 1 tokens, but by 2"):
        Finding("passes", shaded=(Shaded(("a",), (0.1, 0.2)),))
    with pytest.raises(PluginError, match="'perhaps' is no verdict"):
        Finding("perhaps")  # type: ignore[arg-type]


@dataclass
class Loose:
    x: int = 1


@dataclass(frozen=True)
class Demanding:
    x: int


def test_an_entry_that_could_not_be_asked_is_refused() -> None:
    with pytest.raises(PluginError, match="no frozen dataclass"):
        replace(COVERAGE, limits=Loose)  # type: ignore[type-var]
    with pytest.raises(PluginError, match="need a default for each of x"):
        replace(COVERAGE, limits=Demanding)  # type: ignore[type-var]
    with pytest.raises(PluginError, match="not of 'model'"):
        replace(COVERAGE, of="model")  # type: ignore[type-var]
    assert Audit("a", "A", "?", "program", CoverageLimits, COVERAGE.run).lacks(CoverageLimits()) == ""
    assert Figure("x", Estimate(1.0)).unit == ""

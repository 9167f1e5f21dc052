"""Every type that crosses comes back as it went; what is wrong is named by its path."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from core import wire
from core.audit import Figure, Finding, Shaded
from core.errors import WireError
from core.jobs.folder import Spec
from core.jobs.kinds import KINDS, kind_of
from core.jobs.place import Place
from core.jobs.results import (
    RESULTS,
    AuditsFound,
    ConversionsFound,
    CostsEstimated,
    HeadCost,
    HybridMeasured,
    LayerResolved,
    NewProgram,
    ProgramsFound,
    ResolvedFound,
    SentencesRead,
    Talk,
    WeightsRead,
)
from core.jobs.tasks import (
    AuditTask,
    BuildTask,
    Candidate,
    ConvertTask,
    CurveTask,
    DownstreamTask,
    ExtractTask,
    HybridTask,
    MeasureTask,
    ProposeTask,
    Resolvable,
    ResolveTask,
    ScoreTask,
    Task,
)
from core.proposers import ClaudeLimits, OpenAILimits, SearchLimits
from core.store.findings import StoredFinding
from core.types import (
    Conversion,
    Curve,
    CurvePoint,
    Estimate,
    Evaluation,
    EvaluationDetails,
    FailedPassages,
    Failure,
    HeadId,
    HybridProgram,
    HybridRequest,
    MadeHybrid,
    ModelInfo,
    StrictCost,
    TaskAccuracy,
    TokenDamage,
)

HEAD = HeadId(2, 11)
INFO = ModelInfo("tiny-12345678", "tiny", "llama", 3, 12, True, 5000, 64)
SOURCE = 'def attend(q, k):\n    return 1.0  # "é"\n'
MADE = MadeHybrid((HybridProgram(HEAD, SOURCE, "abc"),), "one", 0.1, "cost", None, ((0, 0.4), (5, 0.3)))
COST = Evaluation(10.0, 12.0, Estimate(0.2, 0.1, 0.3), Estimate(0.15, 0.1, 0.2), 90, 4, 2)
CANDIDATES = (Candidate(HEAD, "source", 0.5, math.inf), Candidate(HeadId(0, 0), "source", 0.4, None))
FINDING = Finding(
    "passes",
    "a note",
    (Figure("IoU", Estimate(0.5, 0.4, math.inf), "share"),),
    ("why", "passages"),
    (("domain", 3),),
    (Shaded(("a", "b"), (0.0, 1.5)),),
)
DAMAGE = TokenDamage(("a", "b"), (1.0,), (2.0,), (0.1,))
POINT = CurvePoint("cost", True, 2, 0.5, 0.1, 0.0, 0.2, 0.1, 0, (0.0, 1.0))
LAYER = LayerResolved(
    {HEAD: "source"},
    "a.parquet",
    ((HEAD, "id", "chain"),),
    (NewProgram("source", "refit", "id"),),
    "b.parquet",
)
TASKS: list[Task] = [
    ExtractTask("model", "bundled", 3),
    BuildTask("model", "bundled"),
    ProposeTask(INFO, "passages", (HEAD,), SearchLimits(3, 0.1), proposer="search"),
    ProposeTask(INFO, "p", None, ClaudeLimits(), {HEAD: "source"}, (HEAD,), proposer="claude"),
    ProposeTask(INFO, "p", None, OpenAILimits(model="m", tokens=9), proposer="openai"),
    ScoreTask(INFO, "passages", ("source",), "plain Python, from a.py"),
    ConvertTask(INFO, "passages", ("source",), SearchLimits(), proposer="search"),
    ConvertTask(INFO, "passages", ("source",), ClaudeLimits(), proposer="claude"),
    ConvertTask(INFO, "passages", ("source",), OpenAILimits(model="m"), proposer="openai"),
    ResolveTask(INFO, "passages", (Resolvable(HEAD, "source"), Resolvable(HEAD, "text", 0.5)), True),
    HybridTask(INFO, CANDIDATES, "a", "b", "test", HybridRequest("title", "greedy", None, 0.05)),
    MeasureTask(INFO, MADE, "b", "test", "title", strict=True),
    CurveTask(INFO, CANDIDATES, "a", "b", "test", "title", ("cost", "iou"), (0.5, 1.0)),
    AuditTask(INFO, "passages", (), ((HEAD, "source"),), "title"),
    DownstreamTask(INFO, "id", ((HEAD, "source"),), Path("questions.jsonl"), (), 5, "title"),
]
VALUES: list[object] = [
    INFO,
    WeightsRead("model", "print"),
    SentencesRead("model", "bundled", "passages"),
    ProgramsFound(
        "model",
        (NewProgram("source", "search"),),
        ((HEAD, "id"),),
        "scores.parquet",
        Talk(2, (0.1,), (Failure("refused", "no"),)),
        (FailedPassages("id", "timeout", "2 s", 3),),
    ),
    ConversionsFound("model", (Conversion("id", "child", Estimate(0.9, 0.8, 1.0), 8),)),
    LAYER,
    ResolvedFound("model", (LAYER,)),
    CostsEstimated("model", 9, None, (HeadCost(HEAD, "id", math.inf),)),
    MADE,
    HybridMeasured(
        "model",
        MADE,
        "test",
        COST,
        EvaluationDetails({"story": COST}, StrictCost(COST, COST), (DAMAGE,)),
    ),
    Curve("model", "best", "test", 4, 90, (POINT,), {HEAD: "id"}),
    AuditsFound("model", (StoredFinding("coverage", (HEAD, "id"), {"failing": 0.1}, 12.5, FINDING),)),
    TaskAccuracy("id", "piqa", 10, 0.5, (0.4, 0.6), 0.4, (0.3, 0.5), None),
]  # fmt: skip


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_task_comes_back_from_its_spec(task: Task) -> None:
    kind = kind_of(task)
    spec = Spec(kind.name, Place(Path("/w"), Path("/m"), "cpu"), wire.plain(task))
    read = wire.load(Spec, wire.dump(spec), "spec.json")
    assert (read.kind, read.place) == (spec.kind, spec.place)
    assert wire.read(kind.task, read.task, "task") == task
    held = {name: read.task[name] for name in task.question()}
    assert held == task.question()  # so that the same question finds its job again, infinite costs or not


def test_every_kind_of_job_has_a_task_of_its_own() -> None:
    assert {kind_of(task).name for task in TASKS} == set(KINDS)
    assert len(TASKS) == len(KINDS)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_result_comes_back(value: object) -> None:
    assert wire.load(type(value), wire.dump(value), "result.json") == value


def test_every_result_is_tried() -> None:
    assert {type(value) for value in VALUES} == set(RESULTS.values())


def test_a_head_is_a_name_and_older_spellings_are_read() -> None:
    assert wire.dump((HEAD, "id"), tuple[HeadId, str]) == '["L2H11","id"]'
    for spelling in ('"L2H11"', '"l2h11"', '{"layer": 2, "head": 11}', "[2, 11]"):
        assert wire.load(HeadId, spelling, "a head") == HEAD


def test_an_evaluation_is_its_figures_and_unknown_bounds_stay_unknown() -> None:
    older = replace(COST, kl=Estimate(0.15))
    read = wire.load(Evaluation, wire.dump(older), "evaluation")
    assert wire.plain(COST)["increase"] == 0.2
    assert (read.kl.value, math.isnan(read.kl.low), math.isnan(read.kl.high)) == (0.15, True, True)
    stored = {**COST.figures(), "kl_low": None}
    del stored["kl_high"]  # as in version 0.1
    assert wire.read(Evaluation, stored, "evaluation").increase == Estimate(0.2, 0.1, 0.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"model": "m"}', r"costs\.json: passages: Field required"),
        ('{"model": "", "passages": 3, "agreement": 1, "heads": [{"head": "L1", "program": "p", "kl": 1}]}',
         r"costs\.json: heads\.0\.head: .*'L1' is not a head; write it as L3H7"),
        ('{"model": "m", "passages": "many", "agreement": null, "heads": []}',
         r"passages: .*integer.* not 'many'"),
        ('{"model": "m", "passages": ', r"costs\.json: Invalid JSON"),
        ('{"model": "\\ud800", "passages": 3, "agreement": null, "heads": []}', r"costs\.json: "),
        ("3", r"the whole: .*object.* not '3'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(text: str, message: str) -> None:
    with pytest.raises(WireError, match=message):
        wire.load(CostsEstimated, text, "costs.json")


def test_keys_of_a_later_version_are_passed_over() -> None:
    assert wire.load(WeightsRead, '{"model": "m", "fingerprint": "f", "later": 1}', "w") == WeightsRead(
        "m", "f"
    )


def test_what_is_passing_is_no_part_of_the_question() -> None:
    first = ProposeTask(INFO, "passages", None, ClaudeLimits(), known={HEAD: "source"}, order=(HEAD,))
    assert first.question() == replace(first, known={}, order=()).question()
    assert first.question() != replace(first, heads=(HEAD,)).question()


def test_a_job_of_before_there_were_proposers_is_the_same_question() -> None:
    """Its kind says who proposes; the limits are of that one's type."""
    asked = ProposeTask(INFO, "passages", (HEAD,), ClaudeLimits(rounds=1), {HEAD: "s"}, (HEAD,), "claude")
    older = {name: value for name, value in wire.plain(asked).items() if name != "proposer"}
    task = wire.read(KINDS["claude"].task, older, "spec.json")
    assert isinstance(task, ProposeTask)
    assert task.limits == ClaudeLimits(rounds=1)
    assert task.question() == asked.question()

"""A workspace whose passages, programs, reviewers and hybrids try to get out of the page that shows them."""

from __future__ import annotations

from pathlib import Path

from core.store import Workspace, add_program, add_proposals, add_scores
from core.store.hybrids import add_curve, add_evaluation, add_hybrid
from core.types import (
    Action,
    Curve,
    CurvePoint,
    Estimate,
    Evaluation,
    EvaluationDetails,
    HeadId,
    HybridProgram,
    MadeHybrid,
    ModelInfo,
    Score,
    Split,
)
from tests.conftest import call_core

SCRIPT = "</script><script>document.title = 'got out'</script>"
IMAGE = "<img src=x onerror=\"document.title = 'got out'\">"
HEAD = HeadId(2, 1)
PROGRAM = f'''def attend(q, k):
    """{SCRIPT} {{{{ 7 * 6 }}}} <b>bold</b>"""
    weight = 1.0
    weight *= (look("L0H1", q, k) + 0.002) ** 0.5
    if q.lower == "<" and k == q.prev:
        weight *= 3
    return weight
'''
PLAIN_HEAD = HeadId(1, 1)
PLAIN = f'# plain Python: attend\ndef attend(q, k):\n    """Plain {IMAGE[:9]}"""\n    return 1.0\n'
COST = Evaluation(20.0, 22.0, Estimate(0.1, 0.05, 0.15), Estimate(0.2, 0.1, 0.3), 900, 8, 0)


def hostile_workspace(folder: Path, model: Path) -> ModelInfo:
    """Fill a workspace with a tiny model's attention on hostile passages, PROGRAM accepted for HEAD.

    For PLAIN_HEAD a plain Python program is the best, and stands rejected.
    """
    corpus = folder.parent / "hostile.txt"
    corpus.write_text(
        "\n".join(f"{SCRIPT} {IMAGE} & {number} {{{{ 1 + {number} }}}}" for number in range(20))
    )
    for command in (["extract", "--model", str(model), "--corpus", str(corpus)], ["score"]):
        call_core(*command, workspace=folder).check_returncode()
    workspace = Workspace.open(folder)
    info = workspace.models.all()[0]
    with workspace.database.transaction() as cursor:
        name = add_program(cursor, PROGRAM, "search")
        add_scores(
            cursor, info.id, [Score(name, HEAD, split, Estimate(0.9, 0.8, 1), 0.1, 8, 0) for split in Split]
        )
        add_proposals(cursor, info.id, [(HEAD, name)])
        plain = add_program(cursor, PLAIN, "plain Python, from other.py")
        add_scores(
            cursor,
            info.id,
            [Score(plain, PLAIN_HEAD, split, Estimate(0.95, 0.9, 1), 0.1, 8, 0) for split in Split],
        )
        made = MadeHybrid((HybridProgram(HEAD, PROGRAM),), f"hybrid {IMAGE}", 1 / 12, "cost")
        hybrid = add_hybrid(cursor, info.id, made)
        add_evaluation(cursor, hybrid, f"/home/somebody/{IMAGE}.txt", COST, EvaluationDetails())
        point = CurvePoint(f"by {IMAGE}", False, 1, 0.1, 0.1, 0.05, 0.15, 0.2, 0)
        add_curve(cursor, Curve(info.id, SCRIPT, "test", 8, 900, (point,)))
    workspace.verdicts.record(info.id, HEAD, name, Action.ACCEPT, f"Ada {IMAGE}", "", f"a note {SCRIPT}")
    workspace.verdicts.record(info.id, PLAIN_HEAD, plain, Action.REJECT, "Cy", "unreadable")
    workspace.close()
    return info

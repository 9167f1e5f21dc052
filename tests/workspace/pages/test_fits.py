"""From which IoU on a program fits a head is the same on every page."""

from pathlib import Path

from core.language import parse
from core.scoring import FITS
from core.store import Workspace, add_scores
from core.types import Estimate, HeadId, ModelInfo, Score, Split
from core.ui.library import view
from core.ui.review.shelf import current_shelf
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]
SOURCE = "def attend(q, k):\n    return k.index + 0.5\n"
JUST_FITS, JUST_NOT = FITS, FITS - 0.01


def keep_program(workspace: Workspace, model: ModelInfo) -> str:
    """A program whose IoU is 0.9 on the first head, just enough on two, just too little on the others."""
    heads = model.head_ids()
    ious = dict.fromkeys(heads, JUST_NOT) | {heads[0]: 0.9, heads[1]: JUST_FITS, heads[2]: JUST_FITS}
    name = workspace.library.save_edit(model.id, SOURCE, "", [])
    scores = [Score(name, head, split, Estimate(iou, iou, iou), 0.0, 9, 0)
              for head, iou in ious.items() for split in Split]  # fmt: skip
    with workspace.database.transaction() as cursor:
        add_scores(cursor, model.id, scores)
    return name


def test_heads_review_and_library_count_the_same_heads(open_app: OpenApp, workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    name = keep_program(workspace, model)
    assert name == parse(SOURCE).id
    workspace.close()
    app = open_app(workspace_copy)
    assert [head for head, _ in current_shelf(model).fits(name)] == model.head_ids()[:3]
    assert view.catalogue(model).set_index("program_id").loc[name].heads == 3
    app.query_params["program"] = name
    assert "Fits **3** of" in text_of(go(app, "library"))
    app.query_params.clear()
    app.query_params["layer"], app.query_params["head"] = "0", "0"
    app.query_params["program"] = name
    app.session_state["evidence"] = "Similar"
    app = go(app, "heads")
    assert "fits 2 other heads with a validation IoU of 0.5 or more" in text_of(app)
    assert HeadId(0, 0) == model.head_ids()[0]

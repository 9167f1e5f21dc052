"""The figure of all heads on one passage: who looks from one token to another, or who is explained least."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.display import token_name
from core.scoring.everywhere import Cell, everywhere, explained
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import HeadId, ModelInfo, Sentence, Split

_NAMED = {"lines": "lines that explain it", "iou": "IoU here", "program_says": "best program"}
_LETTERS = 80  # of the passage, in the caption


def heads_on(workspace: Workspace, model: ModelInfo, sentence: Sentence, cell: Cell | None) -> TableFigure:
    """Every head with its best program on a passage of the workspace, at a cell of its map or in all.

    Raises IndexError for a cell that the map does not have.
    """
    features = workspace.tokens(model.id).read([sentence.id])
    tokens = list(features.surfaces)
    if cell is not None:
        query, key = cell
        if not (0 <= query < len(tokens) and 0 <= key < (query + 1 if model.is_causal else len(tokens))):
            raise IndexError(f"token {query} does not look at token {key} among {len(tokens)}")
    reader, best = workspace.attention(model.id), workspace.library.parsed_best(model.id)
    found = everywhere(
        model, features, lambda layer: reader.layer(layer, sentence=sentence.id)[sentence.id], best
    )
    table = explained(found, cell, best, summaries_of(workspace, model))
    return heads_figure(model, table, tokens, cell, f"{sentence.genre}, {sentence.split}", sentence.text)


def heads_figure(
    model: ModelInfo, table: pd.DataFrame, tokens: Sequence[str], cell: Cell | None, genre: str, text: str
) -> TableFigure:
    """The rows of `explained` as a figure."""
    query, key = ("", "") if cell is None else (token_name(tokens[at]) for at in cell)
    pair = "" if cell is None else f"From “{query}” to “{key}” in: "
    words = " ".join(text.split())
    caption = f"{genre}. {pair}{words if len(words) <= _LETTERS else f'{words[:_LETTERS]}…'}"
    return TableFigure.of(f"{model.title}: all heads on a passage", table.rename(columns=_NAMED), caption)


def summaries_of(workspace: Workspace, model: ModelInfo) -> dict[HeadId, str]:
    """What each head's best program does, in a sentence."""
    rows = workspace.library.best_frame(model.id, Split.VALIDATION).to_dict("records")
    return {HeadId(int(row["layer"]), int(row["head"])): str(row["summary"]) for row in rows}

"""Every head with its best program on one passage: who looks from one token to another, what is missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import WorkspaceError
from core.features import Features
from core.language import Evaluator, ParsedProgram, PlainProgram, lines_of, trace
from core.maps import confined, iou_of
from core.types import HeadId, ModelInfo

_EXPLAINED = 15  # heads of which the lines are told
_LINES = 3  # of a program
_IDLE = ("× 1", "÷ 1", "+ 0", "− 0")
Cell = tuple[int, int]  # query, key


@dataclass(frozen=True)
class Everywhere:
    """Heads, and their best programs, on one passage."""

    features: Features  # of this passage alone
    heads: Mapping[HeadId, np.ndarray]  # float16 [query, key]
    programs: Mapping[HeadId, np.ndarray]  # the same; zero where the program failed
    ious: Mapping[HeadId, float]


def everywhere(
    model: ModelInfo,
    features: Features,
    layer: Callable[[int], np.ndarray],
    programs: Mapping[HeadId, ParsedProgram],
) -> Everywhere:
    """The heads and these programs on the one passage of `features`.

    `layer` gives a layer's maps, float32 [head, query, key]; one of which it has none is left out.
    """
    heads: dict[HeadId, np.ndarray] = {}
    for number in model.attention_layers:
        with suppress(KeyError, IndexError, WorkspaceError):  # not extracted
            for at, weights in enumerate(layer(number)):
                heads[HeadId(number, at)] = weights.astype(np.float16)
    looks = {head: weights[None].astype(np.float32) for head, weights in heads.items()}
    evaluator = Evaluator(features, model.is_causal, looks=looks)
    produced: dict[HeadId, np.ndarray] = {}
    ious: dict[HeadId, float] = {}
    for head, program in programs.items():
        if head not in heads or program.why_not_for(head):
            continue
        result = evaluator.run(program)
        weights = confined(result.weights[0], model.window(head.layer), model.is_causal).numpy()
        produced[head] = weights.astype(np.float16)
        ious[head] = 0.0 if result.failures else iou_of(heads[head].astype(np.float32), weights)
    return Everywhere(features, heads, produced, ious)


def ranked(found: Everywhere, cell: Cell | None) -> pd.DataFrame:
    """A row a head: head, weight and program (at the cell), iou; by weight, or without a cell by iou."""
    rows = [
        {
            "head": str(head),
            "weight": float(weights[cell]) if cell else np.nan,
            "program": float(found.programs[head][cell]) if cell and head in found.programs else np.nan,
            "iou": found.ious.get(head, np.nan),
        }
        for head, weights in found.heads.items()
    ]
    table = pd.DataFrame(rows, columns=["head", "weight", "program", "iou"])
    return table.sort_values(
        "weight" if cell else "iou", ascending=not cell, kind="stable", ignore_index=True
    )


def explained(
    found: Everywhere,
    cell: Cell | None,
    programs: Mapping[HeadId, ParsedProgram],
    summaries: Mapping[HeadId, str],
) -> pd.DataFrame:
    """The rows of `ranked` with what each program says, and at a cell the lines that explain it.

    head, iou, program_says; at a cell also weight, program, lines, the last of the first heads only.
    """
    table = ranked(found, cell)
    heads = [HeadId.parse(name) for name in table["head"]]
    table = table.assign(program_says=[summaries.get(head, "–") for head in heads])
    if cell is None:
        return table[["head", "iou", "program_says"]]
    told = [
        lines_in_words(programs[head], found, cell) if head in programs and at < _EXPLAINED else ""
        for at, head in enumerate(heads)
    ]
    return table.assign(lines=told)[["head", "weight", "program", "lines", "iou", "program_says"]]


def lines_in_words(program: ParsedProgram, found: Everywhere, cell: Cell) -> str:
    """The lines that changed the weight of a cell: `4: × 6.5 (k == q)`."""
    if isinstance(program, PlainProgram):
        return "plain Python, which is not read"
    looks = {head: found.heads[head].astype(np.float32) for head in program.looks if head in found.heads}
    told = trace(program, found.features.tokens(0), *cell, looks)
    lines = [one for one in lines_of(told, found.features.surfaces) if one["effect"] not in _IDLE]
    lines = [one for one in lines if not one["effect"].startswith("= ") or len(lines) == 1]
    return "; ".join(
        f"{one['line']}: {one['effect']}" + (f" ({one['because']})" if one["because"] else "")
        for one in lines[:_LINES]
    )

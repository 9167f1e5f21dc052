"""What a head's page draws: maps, and what every line of the program did with every pair.

Maps are bytes: the cells of all passages, one after another as `maps.pack` orders them, each the square root
of a weight in 1/255. Bytes travel compressed (zlib), in base64, within scripts: a page that is opened from
disk may load nothing else.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.features import ATTRIBUTES, Features, missing_value
from core.language import RETURNED, Evaluator, Looks, ParsedProgram, Step, TracedBatch, traced
from core.maps import confined, iou_of, pack
from core.types import Failure, Window

_MOST_VALUES = 254  # that a byte tells apart, besides "did not run"


@dataclass(frozen=True)
class Drawn:
    """A program on the passages of a site."""

    maps: tuple[np.ndarray, ...]  # float32 [query, key] a passage; zero where it failed
    steps: tuple[dict[str, Any], ...]  # what site.js reads of each, see `_step`
    cells: bytes  # of those steps that differ from pair to pair, step by step
    totals: tuple[float, ...]  # what each query's weights were divided by, passage by passage
    failures: Mapping[int, Failure]  # by passage

    def ious(self, head: Sequence[np.ndarray]) -> list[float]:
        """IoU with the head's maps on each passage; 0 where the program failed."""
        return [
            0.0 if at in self.failures else iou_of(own, drawn)
            for at, (own, drawn) in enumerate(zip(head, self.maps, strict=True))
        ]


def draw(program: ParsedProgram, features: Features, looks: Looks, is_causal: bool, window: Window) -> Drawn:
    """A program on all sentences of `features`, with what each of its lines did."""
    result = Evaluator(features, is_causal, looks=looks).run(program)
    lengths = [int(n) for n in features.lengths]
    maps = tuple(
        confined(result.weights[at, :n, :n], window, is_causal).numpy() for at, n in enumerate(lengths)
    )
    told = traced(program, features, is_causal, looks)
    steps, cells = _steps(told, lengths, is_causal)
    totals = told.weights.double().sum(-1).numpy()
    return Drawn(
        maps,
        tuple(steps),
        cells,
        tuple(_rounded(total) for at, n in enumerate(lengths) for total in totals[at, :n]),
        result.failures,
    )


def in_bytes(maps: Sequence[np.ndarray], is_causal: bool) -> bytes:
    """Maps [query, key] as a script carries them."""
    roots = (np.sqrt(np.clip(pack(one, is_causal), 0, 1)) for one in maps)
    return b"".join(np.rint(root * 255).astype(np.uint8).tobytes() for root in roots)


def packed(content: bytes) -> str:
    """Bytes as text for a script."""
    return base64.b64encode(zlib.compress(content, 6)).decode()


def attributes(features: Features, steps: Sequence[Mapping[str, Any]]) -> list[dict[str, list[Any]]]:
    """Of each passage the attributes that steps read, a value a token, and last that of no token."""
    names = sorted({name for step in steps for read in step["reads"] for name in read.split(".")[1:]})
    return [{name: _column(features, name, at) for name in names} for at in range(len(features))]


def _column(features: Features, name: str, at: int) -> list[Any]:
    column = features.columns[name][features.span(at)].tolist()
    if ATTRIBUTES[name].kind == "text":
        column = [features.texts[number] for number in column]
    return [*column, missing_value(name)]


def _steps(told: TracedBatch, lengths: Sequence[int], is_causal: bool) -> tuple[list[dict[str, Any]], bytes]:
    steps, cells = [], []
    for step in told.steps:
        fired = _cells(step.fired.numpy(), lengths, is_causal)
        if not fired.any():
            continue  # on none of these passages
        values, numbers = _operand(step, fired, lengths, is_causal)
        is_told = not fired.all() or (numbers is not None and len(values) > 1)
        steps.append(_step(step, values, is_told))
        if is_told:
            places = fired.astype(np.uint8) if numbers is None else np.where(fired, numbers + 1, 0)
            cells.append(places.astype(np.uint8).tobytes())
    return steps, b"".join(cells)


def _step(step: Step, values: list[Any], is_told: bool) -> dict[str, Any]:
    """A pair's byte is 0 where the step did not run, else the place in `values`, from 1; not `told`: 1."""
    look = None if step.look is None else [str(step.look.head), step.look.plus, step.look.power]
    return {
        "line": step.line,
        "name": "" if step.name == RETURNED else step.name,
        "operator": step.operator,
        "kind": step.kind,
        "because": list(step.conditions),
        "reads": [read for read in step.reads if read not in step.conditions],
        "values": values,
        "told": is_told,
        "look": look,
    }


def _operand(
    step: Step, fired: np.ndarray, lengths: Sequence[int], is_causal: bool
) -> tuple[list[Any], np.ndarray | None]:
    """The distinct values of an operand, and the number of each cell's; none for a power of a look."""
    if step.look is not None:
        return [], None
    cells = _cells(step.operand.expand(step.fired.shape).numpy(), lengths, is_causal)
    distinct = np.unique(cells[fired])
    if len(distinct) > _MOST_VALUES:
        distinct = np.linspace(distinct[0], distinct[-1], _MOST_VALUES)
    middles = (distinct[1:] + distinct[:-1]) / 2
    numbers = np.searchsorted(middles, cells)
    if step.kind == "text":
        return [step.texts[int(one)] for one in distinct], numbers
    if step.kind == "number":
        return [_rounded(one) for one in distinct], numbers
    return [int(one) for one in distinct], numbers


def _cells(maps: np.ndarray, lengths: Sequence[int], is_causal: bool) -> np.ndarray:
    """Padded maps [passage, query, key] as [cell], passage by passage."""
    return np.concatenate([pack(maps[at, :n, :n], is_causal) for at, n in enumerate(lengths)])


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")

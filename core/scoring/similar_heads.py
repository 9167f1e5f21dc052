"""How alike the heads of a model are: IoU between their maps on the same sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from core.maps import iou_from_l1, l1_distances, mass_of, pack_tensor
from core.scoring.scores import ProgramMaps


def head_ious(
    layers: Iterable[Mapping[str, np.ndarray]], sentences: Sequence[str], is_causal: bool
) -> np.ndarray:
    """Mean IoU between every two heads, float32 [head, head], heads layer by layer.

    `layers` gives each layer's maps [head, query, key] by sentence.
    """
    cells: dict[str, list[torch.Tensor]] = {sentence: [] for sentence in sentences}
    mass: dict[str, list[np.ndarray]] = {}
    for maps in layers:
        for sentence in sentences:
            cells[sentence].append(pack_tensor(torch.from_numpy(maps[sentence]), is_causal))
            mass.setdefault(sentence, []).append(mass_of(maps[sentence]))
    total: np.ndarray | None = None
    for sentence in sentences:
        heads = torch.cat(cells.pop(sentence))
        weighs = np.concatenate(mass[sentence])
        ious = iou_from_l1(l1_distances(heads, heads).numpy(), (weighs[:, None] + weighs) / 2)
        total = ious if total is None else total + ious
    assert total is not None, "at least one sentence"
    mean: np.ndarray = (total / len(sentences)).astype(np.float32)
    return mean


def program_ious(produced: ProgramMaps) -> np.ndarray:
    """Mean IoU between what every two programs produce on the same sentences, float32 [program, program].

    A program that fails on a sentence produces nothing there, and is like no other.
    """
    total = np.zeros((len(produced.programs),) * 2, np.float32)
    for cells in produced.cells:
        mass = cells.sum(-1).cpu().numpy()
        both = np.maximum((mass[:, None] + mass) / 2, 1e-9)
        ious = iou_from_l1(l1_distances(cells, cells).cpu().numpy(), both)
        total += np.where((mass[:, None] > 0) & (mass > 0), ious, 0)
    return total / max(1, len(produced.cells))

"""Maps of what keys contribute to what a head writes, in the place of maps of weights."""

from __future__ import annotations

import numpy as np
import torch

from core.audit import measures
from core.audit.recording import projections, recording
from core.audit.words import WRITES_TOGETHER
from core.errors import AuditError
from core.features import Features
from core.models.pretrained import LoadedModel
from core.types import HeadId


def carried(loaded: LoadedModel, features: Features, head: HeadId) -> np.ndarray:
    """What a head would write of each token of the only passage of `features`, float32 [key, dimension].

    Its inner products are those of V_j W_O. Raises AuditError where it cannot be told.
    """
    found = projections(loaded, features)
    if head.layer not in found:
        raise AuditError(WRITES_TOGETHER)
    with torch.no_grad(), recording(loaded) as recorder:
        recorder.forward(features, [0])
        return recorder.written(head.layer, found[head.layer])[0, head.head].cpu().numpy()


def contributed(head: np.ndarray, program: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed shares of what the head writes, of both maps, float32 [query, key].

    Rows of the head's sum to 1, those of the program's to the share of the head's output that it would write.
    """
    a, x, carries = (torch.from_numpy(np.ascontiguousarray(one, np.float32)) for one in (head, program, z))
    return measures.contributions(a, carries).numpy(), measures.contributions(a, carries, x).numpy()

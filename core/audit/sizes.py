"""How long what each head writes of each token is: |V_j W_O|, of every passage at once."""

from __future__ import annotations

import numpy as np
import torch

from core.audit.recording import projections, recording
from core.errors import AuditError
from core.features import Features
from core.maps import like_batches
from core.models.pretrained import LoadedModel

_BATCH_TOKENS = 1024
_BATCH_CELLS = 2**26  # of attention, over all heads


def sizes_written(loaded: LoadedModel, features: Features) -> dict[int, dict[str, np.ndarray]]:
    """Layer -> sentence -> float32 [head, key].

    Raises AuditError if the architecture's attention cannot be overheard, or a layer has no plain output
    projection.
    """
    by_layer = projections(loaded, features)
    layers = loaded.info.attention_layers
    lacking = [layer for layer in layers if layer not in by_layer]
    if lacking:
        where = f"the heads of layer {lacking[0]}"
        raise AuditError(f"what {where} write cannot be read: their output goes through no plain projection")
    found: dict[int, dict[str, np.ndarray]] = {layer: {} for layer in layers}
    with recording(loaded) as recorder, torch.no_grad():
        pairs = _BATCH_CELLS // len(loaded.info.head_ids())
        for rows in like_batches(features.lengths, range(len(features)), _BATCH_TOKENS, pairs):
            recorder.forward(features, rows)
            for layer in layers:
                sizes = recorder.written(layer, by_layer[layer]).norm(dim=-1).cpu().numpy()
                for at, row in enumerate(rows):
                    found[layer][features.sentences[row]] = sizes[at, :, : int(features.lengths[row])]
    return found

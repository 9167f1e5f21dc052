"""How well a program reproduces a head: scores with their intervals, baselines, evidence for a reviewer.

produced = program_maps(programs, features, is_causal)   what programs do on sentences
scores = score(produced, maps, heads, split)             ... against heads: one Score a program and head
Examiner(features, sentences, attention, is_causal)      one program against one head after another
fresh.rescore(loaded, best, sentences, behind)           the same on passages outside the workspace
"""

from core.scoring.baselines import BASELINES
from core.scoring.examiner import Evidence, Examiner, Example, HeadReader, histogram
from core.scoring.reading import program_of
from core.scoring.resolved import Resolved, chain_of, chains, looked_at
from core.scoring.scores import FITS, ProgramMaps, in_blocks, program_maps, score, sentence_ious
from core.scoring.similar_heads import head_ious, program_ious

__all__ = [
    "BASELINES",
    "FITS",
    "Evidence",
    "Examiner",
    "Example",
    "HeadReader",
    "ProgramMaps",
    "Resolved",
    "chain_of",
    "chains",
    "head_ious",
    "histogram",
    "in_blocks",
    "looked_at",
    "program_ious",
    "program_maps",
    "program_of",
    "score",
    "sentence_ious",
]

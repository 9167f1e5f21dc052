"""What a program can say about a token: sentences in, one row of attributes per model token out.

Attributes come from three places: the token's own characters, the text to its left, and spaCy's
reading of the whole sentence. Model tokens and spaCy words are aligned by character offsets, so any
tokenizer that reports offsets will do. Attributes that need text to the right of the token are
marked `lookahead`.
"""

from core.features.annotation import annotate, annotate_each, annotate_ids, annotate_prefixes
from core.features.attributes import ATTRIBUTES
from core.features.kinds import Aspect, Attribute, Kind, Value, attribute, missing_value
from core.features.occurrence import Occurrence
from core.features.pipelines import BUNDLED, NO_PIPELINE, chosen_pipeline, load_pipeline
from core.features.reading import Carried, Reading, ReadNow, describe_tokenizer
from core.features.spans import encoded, read_text, without_closing
from core.features.table import LEAST_TOKENS, FeatureBuilder, Features, Token, merge, unit_rows

__all__ = [
    "ATTRIBUTES",
    "BUNDLED",
    "LEAST_TOKENS",
    "NO_PIPELINE",
    "Aspect",
    "Attribute",
    "Carried",
    "FeatureBuilder",
    "Features",
    "Kind",
    "Occurrence",
    "ReadNow",
    "Reading",
    "Token",
    "Value",
    "annotate",
    "annotate_each",
    "annotate_ids",
    "annotate_prefixes",
    "attribute",
    "chosen_pipeline",
    "describe_tokenizer",
    "encoded",
    "load_pipeline",
    "merge",
    "missing_value",
    "read_text",
    "unit_rows",
    "without_closing",
]

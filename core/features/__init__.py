"""What a program can say about a token: sentences in, one row of attributes per model token out.

Attributes come from three places: the token's own characters, the text to its left, and spaCy's
reading of the whole sentence. Model tokens and spaCy words are aligned by character offsets, so any
tokenizer that reports offsets will do. Attributes that need text to the right of the token are
marked `lookahead`.
"""

from core.features.annotation import annotate, annotate_ids, annotate_prefixes, load_parser
from core.features.attributes import ATTRIBUTES, Attribute, Kind, Value, missing_value
from core.features.table import FeatureBuilder, Features, Token, merge, unit_rows

__all__ = [
    "ATTRIBUTES",
    "Attribute",
    "FeatureBuilder",
    "Features",
    "Kind",
    "Token",
    "Value",
    "annotate",
    "annotate_ids",
    "annotate_prefixes",
    "load_parser",
    "merge",
    "missing_value",
    "unit_rows",
]

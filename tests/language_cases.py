"""Sentences and programs whose weights are typed out by hand, for both evaluators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.features import ATTRIBUTES, FeatureBuilder, Features, Token, Value, missing_value
from core.language import ParsedProgram, parse

Row = Mapping[str, Value]


def row(index: int, n: int, text: str, **others: Value) -> Row:
    """Every attribute of token `index` of `n`; what is not derived from the text here or given is missing."""
    values: dict[str, Value] = {name: missing_value(name) for name in ATTRIBUTES}
    values |= {"index": index, "text": text, "lower": text.lower(), "length": len(text)}
    values |= {"is_first": index == 0, "is_punct": text in (".", ",", "!"), "is_title": text.istitle()}
    values |= {"prev": index - 1, "next": index + 1 if index + 1 < n else -1, "sentence": 0}
    return values | {"sentence_position": index} | others


def sentence(words: str, **columns: Sequence[Value]) -> list[Row]:
    """One row per word; `columns` gives further attributes, one value per word."""
    texts = words.split()
    return [
        row(at, len(texts), text, **{name: values[at] for name, values in columns.items()})
        for at, text in enumerate(texts)
    ]


def build(*sentences: Sequence[Row], embeddings: np.ndarray | None = None) -> Features:
    """Features of these sentences; equal texts get equal token ids, in order of appearance."""
    builder = FeatureBuilder()
    ids: dict[str, int] = {}
    for at, rows in enumerate(sentences):
        texts = [str(values["text"]) for values in rows]
        builder.add(f"s{at}", [ids.setdefault(text, len(ids)) for text in texts], texts, rows)
    return builder.build(embeddings)


def program(body: str) -> ParsedProgram:
    """The program with this body; a single expression is returned."""
    lines = body.strip().split("\n")
    if len(lines) == 1 and not lines[0].startswith(("return", "if", "weight")):
        lines = [f"return {lines[0]}"]
    return parse("def attend(q, k):\n" + "\n".join(f"    {line}" for line in lines) + "\n")


CAT = sentence(
    "The cat saw the dog",
    pos=["DET", "NOUN", "VERB", "DET", "NOUN"],
    head=[1, 2, 2, 4, 2],
)
VECTORS = np.array([[1, 0], [0, 2], [3, 4], [-1, 0], [0, -1]], np.float32)  # The cat saw the dog
CAT_FEATURES = build(CAT, embeddings=VECTORS)


def cat_tokens() -> list[Token]:
    """The sentence that all cases are about."""
    return CAT_FEATURES.tokens(0)


@dataclass(frozen=True)
class Case:
    """A program and what it gives the last query of "The cat saw the dog", up to a common factor."""

    name: str
    body: str
    last_row: Sequence[float]
    causal: bool = True


CASES = [
    Case("constant_is_uniform", "1", [0.2, 0.2, 0.2, 0.2, 0.2]),
    Case("zero_goes_to_token_0", "0", [1, 0, 0, 0, 0]),
    Case("negative_counts_as_zero", "k.index - 3", [0, 0, 0, 0, 1]),
    Case("true_weighs_1", "k.is_first", [1, 0, 0, 0, 0]),
    Case("rows_are_divided_by_their_sum", "k.index", [0, 0.1, 0.2, 0.3, 0.4]),
    Case("booleans_add_up", "k.is_first + k.is_title + (k == q)", [2 / 3, 0, 0, 0, 1 / 3]),
    Case("previous_token", "k == q.prev", [0, 0, 0, 1, 0]),
    Case("head_of_query", "k == q.head", [0, 0, 1, 0, 0]),
    Case("head_of_head", "k.head.head == q.head", [0.2, 0.2, 0.2, 0.2, 0.2]),
    Case("missing_token_equals_missing_token", "q.next == k.prev", [1, 0, 0, 0, 0]),
    Case("missing_token_has_index_minus_1", "k.prev.index == -1", [1, 0, 0, 0, 0]),
    Case("missing_token_has_empty_text", 'k.prev.text == ""', [1, 0, 0, 0, 0]),
    Case("missing_token_is_none", "k.next == None", [0, 0, 0, 0, 1]),
    Case("existing_token_is_not_none", "k.prev != None", [0, 0.25, 0.25, 0.25, 0.25]),
    Case("same_text_ignores_case_in_lower", "k.lower == k.prev.prev.prev.lower", [0, 0, 0, 1, 0]),
    Case("in_set", 'k.pos in {"NOUN", "VERB"}', [0, 1 / 3, 1 / 3, 0, 1 / 3]),
    Case("not_in_numbers", "k.index not in (0, 1, 2, -1)", [0, 0, 0, 0.5, 0.5]),
    Case("chained_comparison", "1 <= k.index < 3", [0, 0.5, 0.5, 0, 0]),
    Case("conditional", '3 if k.pos == "VERB" else k.is_first', [0.25, 0, 0.75, 0, 0]),
    Case("power_is_right_associative", "2 ** k.index ** 0 ** 1", [0.2] * 5),
    Case("minus_binds_looser_than_power", "9 + -3 ** 2 + k.is_first", [1, 0, 0, 0, 0]),
    Case("floor_division_rounds_down", "-k.index // 2 + 2", [2 / 4, 1 / 4, 1 / 4, 0, 0]),
    Case("remainder_has_sign_of_divisor", "-k.index % 3", [0, 2 / 5, 1 / 5, 0, 2 / 5]),
    Case("operators_apply_left_to_right", "8 / 4 / 2 - 1 + k.is_first", [1, 0, 0, 0, 0]),
    Case("min_and_max", "max(min(k.index, 2, 3), 1)", [1 / 8, 1 / 8, 2 / 8, 2 / 8, 2 / 8]),
    Case("abs_exp_log_sqrt", "abs(exp(log(sqrt(k.index ** 2) + 1)) - 3) > 1.5", [0.5, 0, 0, 0, 0.5]),
    Case("text_tests", 'startswith(k.lower, "th") and endswith(k.text, "he")', [0.5, 0, 0, 0.5, 0]),
    Case("contains", 'contains("the cat", k.lower) and not contains(k.text, "T")', [0, 0.5, 0, 0.5, 0]),
    Case("text_test_of_two_tokens", "startswith(k.prev.text, q.next.text)", [0.2] * 5),
    Case("last_before_query", 'last(q, pos="NOUN") == k', [0, 1, 0, 0, 0]),
    Case("last_before_key", 'last(k, pos="DET").index == 0', [0, 1 / 3, 1 / 3, 1 / 3, 0]),
    Case("last_with_value_of_key", "last(q, pos=k.pos) == k", [0, 1 / 3, 1 / 3, 1 / 3, 0]),
    Case(
        "last_with_values_of_both",
        "last(q, pos=k.pos, is_title=q.is_title) == k",
        [0, 1 / 3, 1 / 3, 1 / 3, 0],
    ),
    Case("last_finds_nothing", 'last(q, pos="ADV") == None', [0.2] * 5),
    Case("last_meets_all_equalities", 'last(q, pos="DET", is_title=True) == k', [1, 0, 0, 0, 0]),
    Case("first_of_passage", 'first(pos="VERB") == k', [0, 0, 1, 0, 0]),
    Case("first_with_token_value", "first(head=k) == k.prev", [1, 1, 1, 0, 1]),
    Case("count_is_strict", 'count(k, pos="DET")', [0, 1 / 5, 1 / 5, 1 / 5, 2 / 5]),
    Case("count_with_value_of_query", "count(k, pos=q.pos)", [0, 0, 1 / 3, 1 / 3, 1 / 3]),
    Case("cosine_of_embeddings", "similarity(q, k)", [0, 0, 0, 0, 1]),
    Case("cosine_with_missing_token_is_0", "similarity(q, k.prev) + 1", [1, 1, 0, 0.2, 1]),
    Case("and_stops_early", "k.index != 0 and 1 / k.index == 1", [0, 1, 0, 0, 0]),
    Case("or_stops_early", "k.index == 0 or 1 / k.index == 1", [0.5, 0.5, 0, 0, 0]),
    Case("table_of_texts", 'table(k.pos, {"NOUN": 3, "VERB": 0.5}, 1)', [1, 3, 0.5, 1, 3]),
    Case("table_of_numbers", "table(k.index, {1: 2, 0: 5, 9: 7}, 0)", [5, 2, 0, 0, 0]),
    Case("table_in_table", 'table(k.lower, {"dog": 4}, table(k.pos, {"VERB": 2}, 1))', [1, 1, 2, 1, 4]),
    Case("table_with_negative_number", 'table(k.pos, {"NOUN": -3}, k.index)', [0, 0, 2, 3, 0]),
    Case("comparison_stops_early", "0 < k.index < 1 / k.index + 1", [0, 1, 0, 0, 0]),
    Case("untaken_side_cannot_fail", "k.index if k.index < 3 else log(k.index - 2)", [0, 1, 2, 0, np.log(2)]),
    Case("number_boundaries", "k.index == 1e6 / 1_000_000", [0, 1, 0, 0, 0]),
    Case(
        "future_keys_without_causal",
        "1 / (q.index - k.index + 5)",
        [1 / 9, 1 / 8, 1 / 7, 1 / 6, 1 / 5],
        causal=False,
    ),
    Case("branch", "weight = 1\nif k.is_first:\n    weight += 2\nreturn weight", [3, 1, 1, 1, 1]),
    Case(
        "elif_and_else",
        "if k.index == 1:\n    return 2\nelif k.index > 1:\n    return 3\nelse:\n    return 5",
        [5, 2, 3, 3, 3],
    ),
    Case(
        "return_from_a_branch",
        "weight = 1\nif k.index < 3:\n    if k.is_first:\n        return 4\n    weight = 2\nreturn weight",
        [4, 2, 2, 1, 1],
    ),
    Case("boolean_to_number_local", "weight = 0.0\nweight = k.is_first\nreturn weight + 1", [2, 1, 1, 1, 1]),
    Case(
        "token_local", "weight = q.prev\nif k.is_first:\n    weight = k\nreturn weight.index", [0, 3, 3, 3, 3]
    ),
    Case(
        "augmented", "weight = 3\nweight -= 1\nweight *= k.index\nweight /= 2\nreturn weight", [0, 1, 2, 3, 4]
    ),
    Case("pass_does_nothing", "if k.is_first:\n    pass\nreturn 1", [1, 1, 1, 1, 1]),
]
# name, program, kind of Failure, part of its detail
FAILURES = [
    ("division_by_zero", "1 / k.index", "division", "`/` by zero"),
    ("floor_division_by_zero", "1 // k.index", "division", "`//` by zero"),
    ("remainder_by_zero", "1 % k.index", "division", "`%` by zero"),
    ("log_of_zero", "log(k.index)", "domain", "`log`"),
    ("sqrt_of_negative", "sqrt(k.index - 1)", "domain", "`sqrt`"),
    ("fractional_power_of_negative", "(k.index - 1) ** 0.5", "domain", "fractional power"),
    ("negative_power_of_zero", "k.index ** -1", "domain", "negative power"),
    ("power_overflows", "(q.index + 1) ** 60", "non-finite", "`**`"),
    ("product_overflows", "weight = (q.index + 10) ** 20\nreturn weight * weight", "non-finite", "line 3"),
    ("exp_overflows", "exp(k.index * 30)", "non-finite", "`exp`"),
    ("sum_overflows", "weight = (q.index + 10) ** 38\nreturn weight + weight * 3", "non-finite", "`+`"),
    ("quotient_overflows", "(q.index + 10) ** 35 / 0.0001", "non-finite", "`/`"),
    ("literal_division_by_zero", "1 / 0", "division", "`/` by zero"),
    ("second_operand_fails_first_holds", "k.is_first and 1 / 0 > 1", "division", "line 2"),
]

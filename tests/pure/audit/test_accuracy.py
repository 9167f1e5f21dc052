"""Questions with two answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.audit.accuracy import accuracy
from core.audit.piqa import Question, read_questions
from core.errors import CorpusError
from core.models.pretrained import LoadedModel
from core.types import HybridSpec
from tests.conftest import TinyLoaded

FIRST = "def attend(q, k):\n    return k.is_first\n"
ROWS = [
    {"goal": "To boil an egg", "sol1": "heat water.", "sol2": "freeze the water.", "label": 0},
    {"goal": "To dry a towel", "sol1": "put it in the pond.", "sol2": "hang it up.", "label": 1},
]
QUESTIONS = [Question(str(r["goal"]), (str(r["sol1"]), str(r["sol2"])), int(str(r["label"]))) for r in ROWS]


def loss_of(loaded: LoadedModel, stem: str, answer: str) -> float:
    """Summed loss of an answer after its stem, the slow way."""
    start = len(loaded.tokenizer(stem)["input_ids"])
    ids = torch.tensor([loaded.tokenizer(f"{stem} {answer}")["input_ids"]])
    with torch.inference_mode():
        log_p = loaded.model(input_ids=ids).logits[0].log_softmax(-1)
    return -sum(float(log_p[at - 1, ids[0, at]]) for at in range(start, ids.shape[1]))


def test_the_answer_with_the_smaller_loss_is_preferred(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    losses = [[loss_of(loaded, f"Question: {q.goal}\nAnswer:", a) for a in q.answers] for q in QUESTIONS]
    chosen = np.argmin(losses, axis=1)
    for answers in ([0, 0], [0, 1], [1, 1]):
        asked = [Question(q.goal, q.answers, right) for q, right in zip(QUESTIONS, answers, strict=True)]
        found = accuracy(loaded, HybridSpec.of(loaded.info.id, []), asked)
        assert found.original.value == np.mean(chosen == np.array(answers))
        assert found.changed == found.original
        assert found.agreement == 1


def test_a_hybrid_may_answer_otherwise(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("llama")
    spec = HybridSpec.of(loaded.info.id, [(head, FIRST) for head in loaded.info.head_ids()])
    words = ["dog", "cat", "sun", "moon", "tree", "fish", "bird", "ball", "king", "queen", "house", "tower"]
    many = [Question(f"The {word}", (f"a {word} b c d", f"d c b {word} a"), 0) for word in words]
    found = accuracy(loaded, spec, many)
    assert found.questions == 12
    assert found.agreement < 1
    assert found.changed.low <= found.changed.value <= found.changed.high


def test_texts_on_which_a_program_fails_are_counted(tiny_loaded: TinyLoaded) -> None:
    loaded = tiny_loaded("gpt2")
    fails = 'def attend(q, k):\n    if k.text == ",":\n        return 1 / 0\n    return 1.0\n'
    spec = HybridSpec.of(loaded.info.id, [(head, fails) for head in loaded.info.head_ids()[:2]])
    asked = [Question("Tea", ("hot, or cold", "hot"), 0), Question("Milk", ("white", "grey"), 0)]
    assert accuracy(loaded, spec, asked).kept == 2
    assert accuracy(loaded, spec, asked[1:]).kept == 0


def test_a_piqa_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "piqa.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    assert read_questions(path) == QUESTIONS
    assert read_questions(path, limit=1) == QUESTIONS[:1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2"),
        ('{"goal": "x"}', "line 2"),
        (json.dumps(ROWS[0] | {"label": 2}), "line 2"),
        (json.dumps(ROWS[0] | {"sol1": " "}), "line 2"),
        ("[1, 2]", "line 2"),
    ],
)
def test_a_line_that_is_no_question_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "piqa.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line)
    with pytest.raises(CorpusError, match=message):
        read_questions(path)


def test_a_byte_order_mark_and_separators_in_a_text_are_no_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    row = {"goal": "one\u2028two", "sol1": "a", "sol2": "b \ud800", "label": 1}
    path.write_text("\ufeff" + json.dumps(row, ensure_ascii=False).replace("\ud800", "\\ud800"))
    (found,) = read_questions(path)
    assert (found.goal, found.answers) == ("one\u2028two", ("a", "b ?"))


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(CorpusError, match="holds no question"):
        read_questions(tmp_path / "empty.jsonl")
    with pytest.raises(CorpusError, match="cannot read"):
        read_questions(tmp_path / "nowhere.jsonl")

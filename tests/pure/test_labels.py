"""What a person picks from a list is what they get: labels differ wherever the things do."""

import pytest

from core.display import distinct
from core.errors import ModelError
from core.models.names import model_named
from core.types import ModelInfo


def test_equal_labels_say_as_much_of_their_ids_as_tells_them_apart() -> None:
    labels = {"abcdef01": "same", "abcdef02": "same", "77": "other"}
    assert distinct(labels) == {"abcdef01": "same · abcdef01", "abcdef02": "same · abcdef02", "77": "other"}
    assert distinct({"1234567": "a", "7654321": "a"}) == {"1234567": "a · 123456", "7654321": "a · 765432"}


def test_a_label_that_looks_like_a_mended_one_stays_apart_too() -> None:
    assert len(set(distinct({"aaaaaa1": "x", "bbbbbb1": "x", "c": "x · aaaaaa"}).values())) == 3


def model(id: str, name: str) -> ModelInfo:
    return ModelInfo(id, name, "llama", 1, 2, True, 100, 64)


MODELS = [
    model("aa11", "/runs/one/checkpoint-500"),
    model("bb22", "/runs/two/checkpoint-500"),
    model("cc33", "owner/demo"),
]


@pytest.mark.parametrize(
    ("name", "id"),
    [("aa11", "aa11"), ("/runs/two/checkpoint-500", "bb22"), ("owner/demo", "cc33"), ("demo", "cc33")],
)
def test_a_model_is_named_by_id_path_or_title(name: str, id: str) -> None:
    assert model_named(name, MODELS).id == id


def test_an_ambiguous_title_is_refused_with_the_ids() -> None:
    with pytest.raises(ModelError, match=r"2 models .* 'checkpoint-500'.*aa11 \(/runs/one.*bb22"):
        model_named("checkpoint-500", MODELS)


def test_the_same_folder_holding_two_models_is_ambiguous() -> None:
    twice = [model("aa11", "/runs/one"), model("bb22", "/runs/one")]
    with pytest.raises(ModelError, match="give the id of one: aa11"):
        model_named("/runs/one", twice)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ModelError, match="it has checkpoint-500 · aa11, checkpoint-500 · bb22, demo"):
        model_named("nothing", MODELS)

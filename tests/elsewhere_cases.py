"""Programs on a device that is not the CPU; run by tests/processes/test_elsewhere.py, by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpus import load_corpus
from core.features import Features, annotate
from core.hybrid.calibrate import calibrate
from core.hybrid.perplexity import evaluate_hybrid
from core.language import Evaluator, parse
from core.language.tune import tune
from core.models.attention import extract
from core.models.pretrained import load
from core.proposers import SearchLimits
from core.proposers.search.propose import prepare_search
from core.scoring import BASELINES, program_maps
from core.types import HybridSpec
from tests import elsewhere, tiny
from tests.pure.language.test_tune import FEATURES
from tests.pure.proposers.test_search import PLANTED, SPLITS, features_of, maps_of, noisy

PROGRAM = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight = 3.0
    if k.text in {"the", ","}:
        weight *= 0.5
    return weight * 0.8 ** (q.index - k.index)
"""


@pytest.fixture
def device() -> Iterator[str]:
    with elsewhere.elsewhere() as name:
        yield name


@pytest.fixture
def few() -> Features:
    return FEATURES.select(range(min(len(FEATURES), 4)))


def test_the_device_is_none_that_mixes_with_the_cpu(device: str) -> None:
    there = torch.arange(6.0).to(device)
    assert there.device.type == elsewhere.NAME
    assert (there + 1).tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(RuntimeError, match="same device"):
        there + torch.ones(6)
    with pytest.raises(TypeError, match="to numpy"):
        there.numpy()


def test_maps_are_those_of_the_cpu(device: str, few: Features) -> None:
    programs = [parse(source) for source in (PROGRAM, *BASELINES.values())]
    there, here = (program_maps(programs, few, True, on) for on in (device, "cpu"))
    for program in range(len(programs)):
        for row in range(len(few)):
            np.testing.assert_array_equal(there.map_of(program, row), here.map_of(program, row))


def test_constants_that_lie_on_the_cpu_reach_a_program_elsewhere(device: str, few: Features) -> None:
    """As calibration has them, whose optimizer stays on the CPU whatever the model's device."""
    program = parse(PROGRAM)
    at = {(4, 18): torch.tensor(5.0, requires_grad=True)}
    there, here = (Evaluator(few, True, on).run(program, at).weights for on in (device, "cpu"))
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=0)
    (slope,) = torch.autograd.grad(there.square().sum(), list(at.values()))
    assert slope.device.type == "cpu"
    assert float(slope) != 0


def test_constants_are_fitted_to_what_they_are_on_the_cpu(device: str, few: Features) -> None:
    target = Evaluator(few, True, "cpu").run(parse(PROGRAM)).weights
    start = parse(PROGRAM.replace("3.0", "1.5").replace("0.8", "0.9"))
    there, here = (tune([(start, target.to(on))], few, True, on, steps=8)[0] for on in (device, "cpu"))
    assert there.program.source == here.program.source


# Models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"), "gpt2")  # whose embeddings are tied to its last layer


def test_a_model_elsewhere_is_the_model_and_attends_and_is_calibrated_alike(device: str, model: Path) -> None:
    here, there = (load(str(model), device=on) for on in ("cpu", device))
    assert there.device.type == elsewhere.NAME
    assert there.info == here.info
    features = annotate(load_corpus().sentences[:8], here.tokenizer, here.embeddings())
    expected = {one.sentence: one.weights for one in extract(here, features, range(8))}
    for one in extract(there, features, range(8)):
        np.testing.assert_array_equal(one.weights, expected[one.sentence])

    source = "def attend(q, k):\n    return 0.5 + 2.0 * k.is_first\n"
    hybrid = HybridSpec.of(here.info.id, [(head, source) for head in here.info.head_ids()])
    assert evaluate_hybrid(there, hybrid, features) == evaluate_hybrid(here, hybrid, features)
    train, validation = features.select(range(5)), features.select(range(5, 8))
    fitted, usual = (calibrate(one, hybrid, train, validation, steps=3) for one in (there, here))
    assert usual.after < usual.before
    assert (fitted.after, fitted.spec) == (usual.after, usual.spec)


@pytest.mark.slow  # two minutes, of which the CPU takes a fifth
@pytest.mark.timeout(900)
def test_a_search_elsewhere_finds_the_same_programs(device: str) -> None:
    features, limits = features_of(), SearchLimits(rules=2)
    maps = noisy(maps_of(list(PLANTED.values()), features))
    there, here = (
        prepare_search(*(features[split] for split in SPLITS), True, limits, device=on).propose(maps)
        for on in (device, "cpu")
    )
    assert [one.source for one in there] == [one.source for one in here]

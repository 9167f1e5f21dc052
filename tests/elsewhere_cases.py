"""Programs on devices that are not the CPU; run by tests/processes/test_elsewhere.py, by itself.

The device of tests gives what the CPU gives to the last bit; a GPU adds in its own order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from core.scoring import BASELINES, program_maps, sentence_ious
from core.types import HybridSpec, Split
from tests import elsewhere, tiny
from tests.pure.language.test_tune import FEATURES
from tests.pure.proposers.test_search import PLANTED, SPLITS, features_of, fit, maps_of, noisy

PROGRAM = """def attend(q, k):
    weight = 1.0
    if k.is_first:
        weight = 3.0
    if k.text in {"the", ","}:
        weight *= 0.5
    return weight * 0.8 ** (q.index - k.index)
"""


GPU = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
)


@pytest.fixture(params=[elsewhere.NAME, GPU])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param != elsewhere.NAME:
        yield request.param
        return
    with elsewhere.elsewhere() as name:
        yield name


def require_same(there: Any, here: Any, device: str, apart: float = 1e-4) -> None:
    """Two arrays or lists of numbers are equal, on a GPU but for so much."""
    np.testing.assert_allclose(there, here, rtol=0, atol=apart if device == "cuda" else 0)


@pytest.fixture
def few() -> Features:
    return FEATURES.select(range(min(len(FEATURES), 4)))


def test_the_device_is_none_that_mixes_with_the_cpu(device: str) -> None:
    there = torch.arange(6.0).to(device)
    assert there.device.type == device
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
            require_same(there.map_of(program, row), here.map_of(program, row), device)


def test_constants_that_lie_on_the_cpu_reach_a_program_elsewhere(device: str, few: Features) -> None:
    """As calibration has them, whose optimizer stays on the CPU whatever the model's device."""
    program = parse(PROGRAM)
    at = {(4, 18): torch.tensor(5.0, requires_grad=True)}
    there, here = (Evaluator(few, True, on).run(program, at).weights for on in (device, "cpu"))
    require_same(there.detach().cpu(), here.detach(), device)
    (slope,) = torch.autograd.grad(there.square().sum(), list(at.values()))
    assert slope.device.type == "cpu"
    assert float(slope) != 0


def test_constants_are_fitted_to_what_they_are_on_the_cpu(device: str, few: Features) -> None:
    target = Evaluator(few, True, "cpu").run(parse(PROGRAM)).weights
    start = parse(PROGRAM.replace("3.0", "1.5").replace("0.8", "0.9"))
    there, here = (tune([(start, target.to(on))], few, True, on, steps=8)[0] for on in (device, "cpu"))
    if device == elsewhere.NAME:
        assert there.program.source == here.program.source
    fitted = (Evaluator(few, True, "cpu").run(one.program).weights for one in (there, here))
    require_same(*fitted, device, apart=0.01)


# Models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"), "gpt2")  # whose embeddings are tied to its last layer


def test_a_model_elsewhere_is_the_model_and_attends_and_is_calibrated_alike(device: str, model: Path) -> None:
    here, there = (load(str(model), device=on) for on in ("cpu", device))
    assert there.device.type == device
    assert there.info == here.info
    features = annotate(load_corpus().sentences[:8], here.tokenizer, here.embeddings())
    expected = {one.sentence: one.weights for one in extract(here, features, range(8))}
    for one in extract(there, features, range(8)):
        require_same(one.weights, expected[one.sentence], device, apart=1e-3)

    source = "def attend(q, k):\n    return 0.5 + 2.0 * k.is_first\n"
    hybrid = HybridSpec.of(here.info.id, [(head, source) for head in here.info.head_ids()])
    costs = [list(evaluate_hybrid(one, hybrid, features).figures().values()) for one in (there, here)]
    require_same(*costs, device, apart=1e-2)  # perplexities of some 500
    train, validation = features.select(range(5)), features.select(range(5, 8))
    fitted, usual = (calibrate(one, hybrid, train, validation, steps=3) for one in (there, here))
    assert usual.after < usual.before
    require_same(fitted.after, usual.after, device)
    if device == elsewhere.NAME:
        assert fitted.spec == usual.spec


@pytest.mark.slow  # two minutes, of which the CPU takes a fifth
@pytest.mark.timeout(900)
def test_a_search_elsewhere_finds_the_same_programs(device: str) -> None:
    features, limits = features_of(), SearchLimits(rules=2)
    maps = noisy(maps_of(list(PLANTED.values()), features))
    there, here = (
        prepare_search(*(features[split] for split in SPLITS), True, limits, device=on).propose(maps)
        for on in (device, "cpu")
    )
    if device == elsewhere.NAME:
        assert [one.source for one in there] == [one.source for one in here]
    for head, programs in enumerate(zip(there, here, strict=True)):  # one found on another path fits as well
        require_same(*(fit(one.source, maps, head) for one in programs), device, apart=0.03)
    scores = [
        sentence_ious(program_maps(there, features[Split.VALIDATION], True, on), maps)
        for on in (device, "cpu")
    ]
    require_same(*scores, device)

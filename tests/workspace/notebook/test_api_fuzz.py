"""Whatever is asked, the API answers as it is described, and never with an error of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("schemathesis", reason="it asks; pip install -r requirements-dev.txt")
pytest.importorskip("fastapi", reason="the API needs FastAPI; pip install -r requirements-serve.txt")

import schemathesis

from core.notebook.api import Snapshots, api
from core.settings import Settings
from core.store import Workspace

TOKEN = "a token of many letters"
BRINGING = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def application(built: Path) -> Iterator[Any]:
    """The API over a finished workspace."""
    snapshots = Snapshots(built)
    yield api(snapshots, Settings(built, token=TOKEN), hosts=("*",))
    snapshots.close()


def there(built: Path) -> dict[str, str]:
    """What the paths' parameters may name that is there: else nearly every question ends at the model."""
    workspace = Workspace.open(built)
    model = workspace.models.all()[0].id
    sentence = workspace.models.sentences(model)[0].id
    program = workspace.library.best_programs(model)[0][1]
    workspace.close()
    return {"model": model, "head": "L1H2", "sentence": sentence, "program": program}


def asked_of(operation: Any, mode: Any, known: dict[str, str], examples: int) -> int:
    """Ask an operation so many things, as it is described or not; how many were asked."""
    cases: list[Any] = []

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(operation.as_strategy(generation_mode=mode), st.sets(st.sampled_from(sorted(known))))
    def ask(case: Any, named: set[str]) -> None:
        if mode == schemathesis.GenerationMode.POSITIVE:
            case.path_parameters |= {name: known[name] for name in named & set(case.path_parameters)}
        case.call_and_validate(headers=BRINGING)
        cases.append(case)

    ask()
    return len(cases)


@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_answers_are_as_described(built: Path, application: Any, examples: int) -> None:
    known = there(built)
    schema = schemathesis.openapi.from_asgi("/openapi.json", application, headers=BRINGING)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 12
    for operation in operations:
        assert asked_of(operation, schemathesis.GenerationMode.POSITIVE, known, examples)
        if list(operation.iter_parameters()):
            assert asked_of(operation, schemathesis.GenerationMode.NEGATIVE, known, examples)

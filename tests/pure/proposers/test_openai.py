"""A model behind the OpenAI chat API, by its real SDK: what it answers, what it takes, how it goes wrong."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import ProposerError
from core.proposers import OpenAILimits, check_limits
from core.proposers.llm.calls import Asker
from core.proposers.llm.chat import chat_messages, message_of
from core.proposers.llm.conversation import Outcome, converse
from core.proposers.llm.ledger import CallLog
from core.proposers.llm.openai import OPENAI, TIMEOUT, OpenAIModel, connect
from core.proposers.llm.provider import MAX_OUTPUT
from core.proposers.proposer import LanguageModel
from core.settings import Patience, Settings
from core.types import HeadId
from tests import planted
from tests.servers.openai import OpenAIServer

KEY = "sk-test"
QUICK = Patience().times(0.01)
ONCE = OpenAILimits(model="by-rule", candidates=2, rounds=0)
MakeAsker = Callable[..., Asker]
assert isinstance(OPENAI.way, LanguageModel)
WAY = OPENAI.way


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as running:
        yield running


@pytest.fixture
def make_asker(server: OpenAIServer, tmp_path: Path) -> Iterator[MakeAsker]:
    clients = []

    def make(limits: OpenAILimits = ONCE, timeout: float = TIMEOUT, key: str | None = KEY) -> Asker:
        clients.append(connect(key, server.address, timeout))
        model = OpenAIModel(clients[-1], limits, QUICK)
        return Asker(model, WAY.terms(limits), CallLog(tmp_path), lambda budget: None, QUICK)

    yield make
    for client in clients:
        client.close()


def talk(asker: Asker, limits: OpenAILimits = ONCE, at: HeadId = planted.HEAD) -> Outcome:
    return planted.talk(asker, limits, at)


def test_iou_on_validation_climbs_over_the_rounds(server: OpenAIServer, make_asker: MakeAsker) -> None:
    limits = OpenAILimits(model="by-rule", rounds=4)
    asker = make_asker(limits)
    outcome = talk(asker, limits)
    assert outcome.failures == []
    assert outcome.ious == sorted(outcome.ious)
    assert outcome.ious[1] > outcome.ious[0] + 0.02
    assert outcome.best is not None
    assert outcome.best.validation > 0.75
    assert asker.budget.spent == server.tokens
    assert asker.budget.usage.cache_read == 100 * len(server.calls)


def test_a_request_names_the_model_and_the_most_a_reply_may_have(
    server: OpenAIServer, make_asker: MakeAsker
) -> None:
    talk(make_asker())
    (body,) = server.calls
    assert (body["model"], body["max_tokens"]) == ("by-rule", MAX_OUTPUT)
    assert "max_completion_tokens" not in body
    assert body["messages"][0]["role"] == "system"


def test_openai_itself_is_told_the_most_by_its_newer_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "")  # as compose.yaml hands on what is not set
    with connect(KEY, None) as client:
        request = next(converse(planted.head(), ONCE, planted.PARSED_BASELINES))
        body = OpenAIModel(client, ONCE).body(request)
    assert body["max_completion_tokens"] == MAX_OUTPUT
    assert "max_tokens" not in body


@pytest.mark.parametrize("fault", ["429", "503", "500"])
def test_a_passing_refusal_is_met_by_asking_again(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.faults.extend([fault, fault])
    asker = make_asker()
    outcome = talk(asker)
    assert (outcome.failures, server.arrived, len(server.calls)) == ([], 3, 1)
    assert asker.budget.lost == 0


@pytest.mark.parametrize(
    ("fault", "kind", "arrived"),
    [("429", "rate limit", 5), ("503", "overloaded", 5), ("500", "server error", 5), ("400", "rejected", 1)],
)
def test_a_lasting_refusal_is_a_failure_that_costs_nothing(
    fault: str, kind: str, arrived: int, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    asker = make_asker()
    assert [failure.kind for failure in talk(asker).failures] == [kind]
    assert server.arrived == arrived
    assert (asker.budget.spent, asker.budget.lost) == (0, 0)
    server.always = ""
    assert talk(asker, at=HeadId(0, 0)).best is not None


@pytest.mark.parametrize("fault", ["reset", "cut", "slow"])
def test_a_lost_reply_is_asked_for_again_and_counts(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    asker = make_asker(timeout=1.5 if fault == "slow" else TIMEOUT)
    outcome = talk(asker)
    assert outcome.failures == []
    assert outcome.best is not None
    assert server.arrived == 2
    assert asker.budget.lost > MAX_OUTPUT
    assert asker.budget.spent <= server.tokens <= asker.budget.spent + asker.budget.lost


@pytest.mark.parametrize("fault", ["billed 502", "billed 503", "billed 504"])
def test_a_gateway_that_gives_up_on_a_call_may_have_had_it_answered(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    asker = make_asker()
    assert [failure.kind for failure in talk(asker).failures] == ["server error"]
    assert server.arrived == 3
    assert 0 < server.tokens <= asker.budget.lost


def test_a_server_that_is_not_there_is_a_failure_and_costs_nothing(tmp_path: Path) -> None:
    with OpenAIServer() as gone:
        address = gone.address
    with connect(None, address) as client:
        model = OpenAIModel(client, ONCE, QUICK)
        asker = Asker(model, WAY.terms(ONCE), CallLog(tmp_path), lambda budget: None, QUICK)
        assert [failure.kind for failure in talk(asker).failures] == ["connection"]
    assert asker.budget.lost == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("truncated", "truncated"),
        ("refusal", "refused"),
        ("filtered", "refused"),
        ("html", "unreadable"),
        ("huge", "too large"),
    ],
)
def test_a_reply_that_cannot_be_used_is_a_failure(
    fault: str, kind: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    asker = make_asker()
    outcome = talk(asker)
    assert [failure.kind for failure in outcome.failures] == [kind]
    assert outcome.best is None
    assert talk(asker, at=HeadId(0, 0)).best is not None


@pytest.mark.parametrize("fault", ["empty", "no-call", "non-code", "broken-json", "odd"])
def test_a_mistake_is_sent_back_once_and_corrected(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    outcome = talk(make_asker())
    assert outcome.failures == []
    assert outcome.best is not None
    roles = [message["role"] for message in server.calls[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user" if fault == "no-call" else "tool"]


@pytest.mark.parametrize("fault", ["empty", "no-call", "non-code", "broken-json", "odd"])
def test_a_mistake_that_is_made_again_is_a_failure(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    assert [failure.kind for failure in talk(make_asker()).failures] == ["no program"]
    assert len(server.calls) == 2


def test_programs_that_a_model_writes_as_text_count(server: OpenAIServer, make_asker: MakeAsker) -> None:
    server.always = "spoken"
    outcome = talk(make_asker())
    assert (outcome.failures, outcome.programs, len(server.calls)) == ([], 2, 1)


@pytest.mark.parametrize("fault", ["401", "404", "quota"])
def test_what_every_call_would_meet_ends_the_run(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    with pytest.raises(ProposerError, match=r"refuses every call.*OPENAI_BASE_URL.*'by-rule'") as error:
        talk(make_asker())
    assert KEY not in str(error.value)
    assert server.arrived == 1


def test_a_server_that_quotes_the_key_does_not_get_it_recorded(
    server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = "400"
    (failure,) = talk(make_asker()).failures
    assert "as told, to [key]" in failure.detail


# Limits


@pytest.mark.parametrize("fault", ["", "no-usage", "billed 502"])
def test_no_call_is_made_beyond_the_limit_on_calls(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    """However a reply is lost; and a worker that goes on knows of the calls of the one before."""
    server.always = fault
    limits = OpenAILimits(model="by-rule", candidates=2, rounds=0, calls=3)
    outcomes = [talk(make_asker(limits), limits, HeadId(0, head)) for head in range(5)]
    assert server.arrived == 3
    assert outcomes[-1].failures[-1].kind == "budget"
    assert outcomes[-1].failures[-1].detail == "all 3 calls are made"


@pytest.mark.parametrize("fault", ["", "no-usage"])
def test_no_call_is_made_that_could_pass_the_limit_on_tokens(
    fault: str, server: OpenAIServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    limits = OpenAILimits(model="by-rule", candidates=2, rounds=0, tokens=50_000)
    asker = make_asker(limits)
    outcomes = [talk(asker, limits, HeadId(0, head)) for head in range(15)]
    assert outcomes[0].best is not None
    assert outcomes[-1].failures[-1].kind == "budget"
    assert "tokens of the budget is left" in outcomes[-1].failures[-1].detail
    assert 0 < server.tokens <= limits.tokens
    assert asker.budget.spent + asker.budget.lost <= limits.tokens


@pytest.mark.parametrize(("name", "value"), [("calls", 0), ("tokens", 5), ("candidates", 11), ("rounds", -1)])
def test_a_limit_out_of_bounds_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ProposerError, match=rf"{name}: {value} is "):
        check_limits(OpenAILimits(**{name: value}))


def test_replies_on_disk_are_not_asked_for_again(server: OpenAIServer, make_asker: MakeAsker) -> None:
    limits = OpenAILimits(model="by-rule", rounds=2)
    first = make_asker(limits)
    outcome = talk(first, limits)
    made = server.arrived
    again = make_asker(limits)
    assert talk(again, limits) == outcome
    assert server.arrived == made
    assert again.budget.spent == first.budget.spent == server.tokens


# Translation and settings


@pytest.mark.parametrize("text", ["", "null", "[]", '{"choices": []}', '{"choices": [3]}', "[" * 100_000])
def test_what_is_no_completion_stays_as_it_is(text: str) -> None:
    assert message_of(text) == text


def test_text_and_calls_of_a_turn_become_one_message() -> None:
    turn = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Here."},
            {"type": "tool_use", "id": "a", "name": "propose_programs", "input": {"programs": []}},
        ],
    }
    (message,) = chat_messages([turn])
    assert message["content"] == "Here."
    assert message["tool_calls"][0]["function"] == {
        "name": "propose_programs",
        "arguments": '{"programs": []}',
    }


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"HEADSCRIPT_OPENAI_MODEL": "m"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "sk"}, "HEADSCRIPT_OPENAI_MODEL"),
        ({"OPENAI_API_KEY": "sk-\x07é", "HEADSCRIPT_OPENAI_MODEL": "m"}, "copy the key again"),
    ],
)
def test_what_is_missing_is_named(environ: dict[str, str], missing: str) -> None:
    settings = Settings.read(environ)
    with pytest.raises(ProposerError, match=missing):
        WAY.check(OPENAI.default_limits(settings), settings)


def test_a_server_of_ones_own_needs_no_key() -> None:
    settings = Settings.read({"OPENAI_BASE_URL": "http://x/v1", "HEADSCRIPT_OPENAI_MODEL": "m"})
    limits = OPENAI.default_limits(settings)
    assert (limits.model, limits.base_url) == ("m", "http://x/v1")
    WAY.check(limits, settings)


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "openai":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ProposerError, match=r"pip install -r requirements-openai\.txt"):
        WAY.check(ONCE, Settings(openai_key=KEY))


@pytest.mark.parametrize("factor", ["soon", "-1", "nan", "inf"])
def test_a_patience_that_is_no_factor_is_refused(factor: str) -> None:
    with pytest.raises(ProposerError, match="HEADSCRIPT_PATIENCE"):
        Settings.read({"HEADSCRIPT_PATIENCE": factor})

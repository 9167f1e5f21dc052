"""Asking for programs over real HTTP: what comes back, what it costs, and every way it can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anthropic
import pytest

from core.errors import ProposerError
from core.proposers import ClaudeLimits
from core.proposers.llm.budget import Budget, most_a_call_costs
from core.proposers.llm.calls import Asker
from core.proposers.llm.claude import TIMEOUT, Claude, connect
from core.proposers.llm.conversation import Outcome, converse
from core.proposers.llm.kept import conversation, heads_asked_about
from core.proposers.llm.ledger import CallLog
from core.proposers.llm.prices import PRICES, estimate_cost, price_of, terms
from core.proposers.llm.provider import MAX_OUTPUT, Price, Request, Usage
from core.proposers.llm.replies import MAX_REPLY, read_reply
from core.settings import Patience, Settings
from core.types import Failure, HeadId
from tests import planted
from tests.servers.claude import ClaudeServer, prompt_of, write_programs

KEY = "sk-test"
QUICK = Patience().times(0.01)
ONCE = ClaudeLimits(candidates=2, rounds=0)
MakeAsker = Callable[..., Asker]


@pytest.fixture
def server() -> Iterator[ClaudeServer]:
    with ClaudeServer(key=KEY) as running:
        yield running


@pytest.fixture
def make_asker(server: ClaudeServer, tmp_path: Path) -> Iterator[MakeAsker]:
    clients = []

    def make(limits: ClaudeLimits = ONCE, timeout: float = TIMEOUT, key: str = KEY) -> Asker:
        clients.append(connect(key, server.address, timeout))
        log = CallLog(tmp_path)
        return Asker(Claude(clients[-1], limits), terms(limits), log, lambda budget: None, QUICK)

    yield make
    for client in clients:
        client.close()


def talk(asker: Asker, limits: ClaudeLimits = ONCE, at: HeadId = planted.HEAD) -> Outcome:
    return planted.talk(asker, limits, at)


# What comes back


def test_iou_on_validation_climbs_over_the_rounds(server: ClaudeServer, make_asker: MakeAsker) -> None:
    limits = ClaudeLimits(rounds=4)
    outcome = talk(make_asker(limits), limits)
    assert outcome.failures == []
    assert len(outcome.ious) >= 3
    assert outcome.ious == sorted(outcome.ious)
    assert outcome.ious[1] > outcome.ious[0] + 0.02
    assert outcome.best is not None
    assert outcome.best.validation == outcome.ious[-1] > 0.75


def test_heads_of_an_encoder_are_asked_about_too(server: ClaudeServer, make_asker: MakeAsker) -> None:
    conversation = converse(planted.head(is_causal=False), ONCE, planted.PARSED_BASELINES)
    request = next(conversation)
    with pytest.raises(StopIteration) as end:
        conversation.send(make_asker().answer(request))
    best = end.value.value.best
    assert best.validation > 0.4
    assert "before or after it" in prompt_of(server.calls[0])


def test_the_rounds_end_when_validation_does_not_improve(server: ClaudeServer, make_asker: MakeAsker) -> None:
    """A proposer that has nothing new to say is asked for one refinement and no more."""
    same = {"source": "def attend(q, k):\n    return k.is_first\n", "hypothesis": "sink"}
    server.write = lambda prompt: [same]
    limits = ClaudeLimits(rounds=9)
    outcome = talk(make_asker(limits), limits)
    assert len(server.calls) == len(outcome.ious) == 2


def test_constants_are_fitted_and_a_missing_docstring_is_the_hypothesis(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    source = "def attend(q, k):\n    if k.is_first:\n        return 2.0\n    return 1.0\n"
    server.write = lambda prompt: [{"source": source, "hypothesis": 'Rests "here"\\\nand there'}]
    best = talk(make_asker()).best
    assert best is not None
    assert best.program.docstring == "Rests 'here'and there"
    assert "return 2.0" not in best.program.source or "return 1.0" not in best.program.source


def test_the_prefix_is_cached_and_the_head_too_while_it_is_refined(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    limits = ClaudeLimits(rounds=1)
    asker = make_asker(limits)
    talk(asker, limits)
    first, second = server.calls
    assert first["system"] == second["system"]
    assert first["messages"][0]["content"][0] == second["messages"][0]["content"][0]
    assert asker.budget.usage.cache_read > 2500


# Faults: retried, or a Failure, and nothing else stops


@pytest.mark.parametrize("fault", ["429", "529", "500"])
def test_a_passing_fault_of_the_service_is_retried(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.faults.extend([fault, fault])
    asker = make_asker()
    outcome = talk(asker)
    assert (outcome.failures, server.attempts, len(server.calls)) == ([], 3, 1)
    assert outcome.best is not None
    assert asker.budget.lost == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("429", "rate limit"), ("529", "overloaded"), ("500", "server error"), ("400", "rejected")],
)
def test_a_lasting_fault_of_the_service_is_a_failure_that_costs_nothing(
    fault: str, kind: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    asker = make_asker()
    outcome = talk(asker)
    assert [failure.kind for failure in outcome.failures] == [kind]
    assert outcome.best is None
    assert (asker.budget.spent, asker.budget.lost) == (0, 0)
    server.always = ""
    assert talk(asker, at=HeadId(0, 0)).best is not None


@pytest.mark.parametrize(
    ("fault", "kind"), [("reset", "connection"), ("cut", "connection"), ("slow", "timeout")]
)
def test_a_lost_reply_is_asked_for_again_and_may_have_been_billed(
    fault: str, kind: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    asker = make_asker(timeout=1.5 if fault == "slow" else TIMEOUT)
    outcome = talk(asker)
    assert outcome.failures == []
    assert outcome.best is not None
    assert server.attempts == 2
    assert asker.budget.lost > 0.08
    assert asker.budget.spent <= server.dollars <= asker.budget.spent + asker.budget.lost


@pytest.mark.parametrize("fault", ["billed 502", "billed 503", "billed 504"])
def test_a_gateway_that_gives_up_on_a_call_may_have_had_it_billed(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    """The SDK alone would repeat the call four times, and the ledger would know of none of them."""
    server.always = fault
    asker = make_asker()
    outcome = talk(asker)
    assert [failure.kind for failure in outcome.failures] == ["server error"]
    assert server.attempts == len(server.calls) == 3
    assert 0 < server.dollars <= asker.budget.lost


def test_a_reply_that_does_not_state_its_usage_counts_as_dear_as_it_can_be(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    """So that a gateway which drops the usage cannot make a run pass its budget."""
    server.always = "no-usage"
    limits = ClaudeLimits(rounds=0, budget=0.2)
    asker = make_asker(limits)
    outcomes = [talk(asker, limits, HeadId(0, head)) for head in range(5)]
    assert [bool(outcome.best) for outcome in outcomes] == [True, True, False, False, False]
    assert 0 < server.dollars <= asker.budget.lost <= limits.budget
    assert make_asker(limits).budget.lost == pytest.approx(asker.budget.lost)


@pytest.mark.parametrize("fault", ["page", "html", "reset"])
def test_a_count_that_cannot_be_read_is_a_failure_of_one_head(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.free_faults.extend([fault] * (5 if fault == "reset" else 1))  # the SDK tries again after a reset
    asker = make_asker()
    outcome = talk(asker)
    assert len(outcome.failures) == 1
    assert (server.attempts, asker.budget.lost) == (0, 0)
    assert talk(asker, at=HeadId(0, 1)).best is not None


def test_a_server_that_is_not_there_is_a_failure_and_costs_nothing(
    make_asker: MakeAsker, server: ClaudeServer, tmp_path: Path
) -> None:
    with ClaudeServer(key=KEY) as gone:
        address = gone.address
    with anthropic.Anthropic(api_key=KEY, base_url=address, max_retries=0) as client:
        asker = Asker(Claude(client, ONCE), terms(ONCE), CallLog(tmp_path), lambda budget: None, QUICK)
        outcome = talk(asker)
    assert [failure.kind for failure in outcome.failures] == ["connection"]
    assert asker.budget.lost == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("truncated", "truncated"), ("refusal", "refused"), ("html", "unreadable"), ("huge", "too large")],
)
def test_a_reply_that_cannot_be_used_is_a_failure(
    fault: str, kind: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    asker = make_asker()
    outcome = talk(asker)
    assert [failure.kind for failure in outcome.failures] == [kind]
    assert outcome.best is None
    assert asker.budget.spent == pytest.approx(server.dollars, abs=1e-9)
    assert talk(asker, at=HeadId(0, 0)).best is not None


@pytest.mark.parametrize("fault", ["empty", "no-call", "non-code", "typo", "instructions", "odd"])
def test_a_mistake_is_sent_back_once_and_corrected(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.faults.append(fault)
    outcome = talk(make_asker())
    assert outcome.failures == []
    assert outcome.best is not None
    assert len(server.calls) == 2
    assert len(server.calls[1]["messages"]) == 3  # asked, answered, told what was wrong


@pytest.mark.parametrize("fault", ["empty", "no-call", "non-code", "typo", "instructions", "odd"])
def test_a_mistake_that_is_made_again_is_a_failure(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.always = fault
    outcome = talk(make_asker())
    assert [failure.kind for failure in outcome.failures] == ["no program"]
    assert len(server.calls) == 2


def test_what_is_wrong_with_a_program_is_told_in_the_words_of_the_parser(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.faults.append("instructions")
    talk(make_asker())
    told = server.calls[1]["messages"][-1]["content"][0]
    assert told["is_error"]
    assert "line 1, column 1" in told["content"]
    assert "import" in told["content"]


def test_of_several_programs_the_good_ones_count_though_one_stays_wrong(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.write = lambda prompt: [*write_programs(prompt)[:1], {"source": "no", "hypothesis": ""}]
    outcome = talk(make_asker())
    assert (outcome.failures, outcome.programs) == ([], 1)


def test_a_refused_key_ends_the_run_and_is_not_repeated_to_anyone(make_asker: MakeAsker) -> None:
    with pytest.raises(ProposerError, match="refuses every call") as error:
        talk(make_asker(key="sk-wrong"))
    assert "sk-wrong" not in str(error.value)


def test_a_service_that_quotes_the_key_does_not_get_it_recorded(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    server.always = "400"
    (failure,) = talk(make_asker()).failures
    assert "as told, to [key]" in failure.detail


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '{"content": 3}', '{"content": [3, null]}', "[" * 100_000, "x" * (MAX_REPLY + 1)],
)
def test_no_reply_can_do_more_than_fail(text: str) -> None:
    reading = read_reply(text, 3, HeadId(0, 0))
    assert reading.programs == ()
    assert reading.failure or reading.problems


def test_programs_beyond_those_asked_for_are_left_out() -> None:
    entry = '{"source": "def attend(q, k):\\n    return %d\\n", "hypothesis": ""}'
    programs = ", ".join(entry % number for number in range(1, 9))
    text = (
        '{"stop_reason": "tool_use", "content": [{"type": "tool_use", "id": "a", "name": "propose_programs", '
        f'"input": {{"programs": [{programs}]}}}}]}}'
    )
    assert len(read_reply(text, 3, HeadId(0, 0)).programs) == 3


# Money


def test_the_ledger_is_the_servers_bill(server: ClaudeServer, make_asker: MakeAsker) -> None:
    limits = ClaudeLimits(rounds=2)
    asker = make_asker(limits)
    for head in range(3):
        talk(asker, limits, HeadId(0, head))
    assert asker.budget.usage.calls == len(server.calls)
    assert asker.budget.spent == pytest.approx(server.dollars, abs=1e-9)


def test_no_call_is_made_that_could_pass_the_budget(server: ClaudeServer, make_asker: MakeAsker) -> None:
    limits = ClaudeLimits(candidates=2, rounds=0, budget=0.11)
    asker = make_asker(limits)
    outcomes = [talk(asker, limits, HeadId(0, head)) for head in range(12)]
    assert 0.01 < server.dollars <= limits.budget
    assert [failure.kind for failure in outcomes[-1].failures] == ["budget"]
    assert outcomes[0].best is not None
    assert asker.budget.spent == pytest.approx(server.dollars, abs=1e-9)
    assert server.dollars + most_a_call_costs(3500, price_of(limits)) > limits.budget


def test_a_call_is_bounded_by_its_counted_input_at_the_dearest_price_and_all_its_output() -> None:
    price = Price(2.0, 2.5, 0.1, 10.0)
    assert most_a_call_costs(4000, price) == pytest.approx((4000 * 2.5 + MAX_OUTPUT * 10) / 1e6)
    for usage in (Usage(4000, 0, 0, MAX_OUTPUT), Usage(0, 4000, 0, MAX_OUTPUT), Usage(0, 0, 4000, 9)):
        assert usage.cost(price) <= most_a_call_costs(4000, price)


def test_a_budget_waits_for_calls_under_way_and_counts_lost_ones() -> None:
    budget = Budget(1.0, Price(1e6, 1e6, 1e6, 1e6))  # a dollar a token
    assert budget.reserve(0.6)
    assert not budget.reserve(0.6, wait=False)
    budget.settle(0.6, None)
    assert budget.reserve(0.6, wait=False)
    budget.settle(0.6, None, lost=True)
    assert not budget.reserve(0.6)
    assert (budget.spent, budget.lost) == (0, 0.6)


def test_batches_cost_half_and_more_heads_cost_more() -> None:
    once = estimate_cost(10, ClaudeLimits())
    assert estimate_cost(10, ClaudeLimits(batches=True)) == pytest.approx(once / 2)
    assert estimate_cost(20, ClaudeLimits()) == pytest.approx(2 * once)
    assert estimate_cost(10, ClaudeLimits(), input_tokens=9000) > once


def test_the_estimate_is_of_the_size_of_the_bill(server: ClaudeServer, make_asker: MakeAsker) -> None:
    """Input as counted; of output the estimate assumes what a model that thinks needs, so it is above."""
    limits = ClaudeLimits(rounds=1)
    asker = make_asker(limits)
    talk(asker, limits)
    assert server.dollars < estimate_cost(1, limits) < 10 * server.dollars


def test_a_model_without_a_price_is_refused_by_name() -> None:
    with pytest.raises(ProposerError, match=r"'gpt-2'.*claude-sonnet-5-5.*prices\.py"):
        price_of(ClaudeLimits(model="gpt-2"))
    assert ClaudeLimits().model in PRICES


# What was paid for is never paid for again


def test_replies_on_disk_are_not_asked_for_again(server: ClaudeServer, make_asker: MakeAsker) -> None:
    limits = ClaudeLimits(rounds=2)
    first, again = make_asker(limits), None
    outcome = talk(first, limits)
    made = server.attempts
    again = make_asker(limits)
    assert talk(again, limits) == outcome
    assert server.attempts == made
    assert again.budget.spent == pytest.approx(first.budget.spent)


def test_a_call_that_a_crash_cut_off_counts_against_the_budget(make_asker: MakeAsker, tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    log.asking("L0H0-0", 0.09)
    with (tmp_path / "paid.jsonl").open("a") as file:
        file.write('{"call": "L0')  # the crash came while this was written
    log.asking("L0H1-0", 0.08)
    log.unpaid("L0H1-0", 0.08)
    assert make_asker().budget.lost == pytest.approx(0.09)


# Batches


def test_a_batch_answers_all_heads_at_half_the_price(server: ClaudeServer, make_asker: MakeAsker) -> None:
    limits = ClaudeLimits(batches=True)
    asker = make_asker(limits)
    requests = [Request(f"L0H{head}-0", planted_messages()) for head in range(3)]
    server.faults.extend(["", "529", "expired"])
    server.looks = 0
    answers = asker.answer_all(requests)
    assert list(server.batches) == ["msgbatch_0"]
    assert isinstance(answers["L0H0-0"], str)
    assert answers["L0H1-0"] == Failure("overloaded", "overloaded_error: as told")
    assert isinstance(answers["L0H2-0"], Failure)
    assert asker.budget.spent == pytest.approx(server.dollars, abs=1e-9)
    assert (asker.budget.lost, len(server.calls)) == (0, 1)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_batch_that_was_under_way_at_a_crash_is_collected_not_repeated(
    arrived: bool, server: ClaudeServer, make_asker: MakeAsker, tmp_path: Path
) -> None:
    """Also if the crash came before its id was noted; batches of other runs are not mistaken for it."""
    limits = ClaudeLimits(batches=True)
    request = Request("L0H0-0", planted_messages())
    log = CallLog(tmp_path)
    log.asking(request.name, 0.05)
    submission = log.submitting([request.name])
    with connect(KEY, server.address) as client:
        claude = Claude(client, limits)
        claude.submit("of-another-run", [request])
        batch = claude.submit(submission.token, [request])
        claude.submit("of-a-third", [request, Request("L0H1-0", planted_messages())])
    if arrived:
        log.submitted(submission, batch)
    asker = make_asker(limits)
    assert log.open_submissions() == []
    assert isinstance(asker.answer_all([request])["L0H0-0"], str)
    assert len(server.batches) == 3
    assert asker.budget.usage.calls == 1
    assert asker.budget.lost == 0


@pytest.mark.parametrize(("fault", "batches"), [("lost", 1), ("reset", 1), ("529", 1), ("page", 1)])
def test_a_batch_whose_submission_goes_wrong_is_paid_for_once(
    fault: str, batches: int, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    limits = ClaudeLimits(batches=True)
    asker = make_asker(limits)
    requests = [Request(f"L0H{head}-0", planted_messages()) for head in range(2)]
    server.free_faults.extend(["", "", fault])  # after two counts
    answers = asker.answer_all(requests)
    assert all(isinstance(answer, str) for answer in answers.values())
    assert len(server.batches) == batches
    assert asker.budget.spent == pytest.approx(server.dollars, abs=1e-9)
    assert asker.budget.lost == 0


def test_a_service_that_takes_no_batch_ends_the_run_so_that_it_can_go_on_later(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    limits = ClaudeLimits(batches=True)
    request = Request("L0H0-0", planted_messages())
    server.free_faults.extend(["", *["400"] * 3])
    with pytest.raises(ProposerError, match=r"takes no batch.*go on later"):
        make_asker(limits).answer_all([request])
    again = make_asker(limits)
    assert again.budget.lost == 0
    assert isinstance(again.answer_all([request])["L0H0-0"], str)


def test_a_batch_that_the_service_no_longer_holds_may_have_been_billed(
    server: ClaudeServer, make_asker: MakeAsker, tmp_path: Path
) -> None:
    log = CallLog(tmp_path)
    log.asking("L0H0-0", 0.05)
    log.submitted(log.submitting(["L0H0-0"]), "msgbatch_of_last_month")
    asker = make_asker(ClaudeLimits(batches=True))
    assert log.open_submissions() == []
    assert asker.budget.lost == pytest.approx(0.05)


def test_what_a_batch_leaves_of_the_budget_goes_into_further_batches(
    server: ClaudeServer, make_asker: MakeAsker
) -> None:
    """A call is set aside for at several times what it costs, so the first batch has only some of them."""
    limits = ClaudeLimits(batches=True, rounds=0, budget=0.1)
    server.looks = 0
    messages = planted_messages()
    requests = [Request(f"L{layer}H0-0", messages) for layer in range(40)]
    asker = make_asker(limits)
    answers = asker.answer_all(requests)
    most = most_a_call_costs(3500, price_of(limits))
    answered = [answer for answer in answers.values() if isinstance(answer, str)]
    assert len(server.batches) > 2
    assert most * len(answered) > 2 * limits.budget
    assert limits.budget - most < server.dollars <= limits.budget
    assert {answer.kind for answer in answers.values() if isinstance(answer, Failure)} == {"budget"}


@pytest.mark.parametrize("fault", ["page", "html", "reset", "502"])
def test_a_batch_that_cannot_be_looked_at_for_a_while_is_looked_at_again(
    fault: str, server: ClaudeServer, make_asker: MakeAsker
) -> None:
    limits = ClaudeLimits(batches=True)
    server.free_faults.extend(["", "", fault, fault])  # after one count and the submission
    answers = make_asker(limits).answer_all([Request("L0H0-0", planted_messages())])
    assert isinstance(answers["L0H0-0"], str)
    assert len(server.batches) == 1


def planted_messages() -> list[dict[str, object]]:
    request = next(converse(planted.head(), ONCE, planted.PARSED_BASELINES))
    return list(request.messages)


# Settings


def test_the_key_is_not_part_of_what_settings_show() -> None:
    settings = Settings.read({"ANTHROPIC_API_KEY": " sk-secret\n", "ANTHROPIC_BASE_URL": "http://x"})
    assert settings.require_api_key() == "sk-secret"
    assert settings.base_url == "http://x"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(("key", "message"), [("", "--proposer search"), ("sk-\x07é", "copy the key again")])
def test_without_a_usable_key_the_way_on_is_told(key: str, message: str) -> None:
    with pytest.raises(ProposerError, match=message) as error:
        Settings.read({"ANTHROPIC_API_KEY": key}).require_api_key()
    assert "é" not in str(error.value)


def test_the_server_streams_what_it_answers(server: ClaudeServer) -> None:
    """The SDK's own reading of the stream gives the message; so gateways can be tried with this server."""
    with connect(KEY, server.address) as client:
        body = Claude(client, ONCE).body(Request("a", planted_messages()))
        with client.messages.stream(**body) as stream:
            message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    (call,) = [block for block in message.content if block.type == "tool_use"]
    assert len(call.input["programs"]) == 2  # type: ignore[index]


# What is kept to be looked at


def test_a_conversation_can_be_read_again_with_its_repair_and_what_it_cost(
    server: ClaudeServer, make_asker: MakeAsker, tmp_path: Path
) -> None:
    server.faults.append("typo")
    asker = make_asker()
    outcome = talk(asker)
    assert heads_asked_about(tmp_path) == [planted.HEAD]
    first, repaired = conversation(tmp_path, planted.HEAD)
    assert (first.round, first.is_repair, repaired.round, repaired.is_repair) == (0, False, 0, True)
    assert first.asked.split() == prompt_of(server.calls[0]).split()
    assert "cannot be read" in repaired.asked
    assert first.asked not in repaired.asked
    assert "k.not_" in first.programs[0][1]
    assert "k.not_" not in repaired.programs[0][1]
    assert outcome.programs == len(repaired.programs)
    spent = [turn.usage.cost(terms(ONCE).price) for turn in (first, repaired)]
    assert sum(spent) == pytest.approx(asker.budget.spent) == pytest.approx(server.dollars)
    assert conversation(tmp_path, HeadId(9, 9)) == []


@pytest.mark.parametrize("fault", ["html", "refusal", "odd", "no-call"])
def test_a_reply_without_programs_is_told_as_it_came(
    fault: str, server: ClaudeServer, make_asker: MakeAsker, tmp_path: Path
) -> None:
    server.faults.append(fault)
    talk(make_asker())
    first = conversation(tmp_path, planted.HEAD)[0]
    assert first.said
    assert not first.programs
    assert "One attention head" in first.asked


def test_a_call_of_an_older_version_has_its_reply_alone(
    server: ClaudeServer, make_asker: MakeAsker, tmp_path: Path
) -> None:
    talk(make_asker())
    for asked in (tmp_path / "asked").iterdir():
        asked.unlink()
    (turn,) = conversation(tmp_path, planted.HEAD)
    assert turn.asked == ""
    assert turn.programs


def test_an_address_that_is_set_to_nothing_is_the_service_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")  # as compose.yaml hands on what is not set
    with connect(KEY, None) as client:
        assert client.base_url == "https://api.anthropic.com"

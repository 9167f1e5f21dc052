"""Services that send without end, a bomb, a byte now and then, or nonsense about what they cost."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.proposers import ClaudeLimits, OpenAILimits
from core.proposers.llm import bounded
from core.proposers.llm.chat import message_of
from core.proposers.llm.claude import Claude
from core.proposers.llm.claude import connect as connect_claude
from core.proposers.llm.ledger import usage_of
from core.proposers.llm.openai import OpenAIModel
from core.proposers.llm.openai import connect as connect_openai
from core.proposers.llm.provider import Fault, Provider, Request
from core.settings import Patience

REQUEST = Request("L0H0-0", [{"role": "user", "content": "Write a program."}])
PATIENT = Patience(retries=1).times(0.001)
Misbehave = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Does to every request what its server was told."""

    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.met += 1
        try:
            self.server.behave(self)
        except OSError:  # the client has had enough
            self.server.left.set()
        self.close_connection = True

    def begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.met, server.left = 0, threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def timeout() -> float:
    """Seconds that a call may take: more than it does on a busy machine, unless it is to be too long."""
    return 60.0


@pytest.fixture(params=["claude", "openai"])
def provider(
    request: pytest.FixtureRequest, service: ThreadingHTTPServer, timeout: float
) -> Iterator[Provider]:
    address = f"http://127.0.0.1:{service.server_address[1]}"
    if request.param == "claude":
        with connect_claude("sk-test", address, timeout, retries=1) as client:
            yield Claude(client, ClaudeLimits())
    else:
        with connect_openai("sk-test", f"{address}/v1", timeout) as client:
            yield OpenAIModel(client, OpenAILimits(model="m"), PATIENT)


def endless(handler: Handler) -> None:
    handler.begin()
    while True:
        handler.wfile.write(b" " * 65536)


def bomb(handler: Handler) -> None:
    packed = gzip.compress(bytes(2**26), 1)
    handler.begin(content_encoding="gzip")
    while True:
        handler.wfile.write(packed)


def drip(handler: Handler) -> None:
    handler.begin()
    while not handler.server.left.is_set():
        handler.wfile.write(b" ")
        handler.server.left.wait(0.05)


def dripping_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-long: ")
    while not handler.server.left.is_set():
        handler.wfile.write(b"x")
        handler.server.left.wait(0.05)


@pytest.mark.parametrize(
    ("behave", "timeout", "kind", "said"),
    [
        (endless, 60.0, "connection", "more than 1,000,000 bytes"),
        (bomb, 60.0, "connection", "more than 1,000,000 bytes"),
        (drip, 1.0, "timeout", "timeout: "),
        (dripping_headers, 1.0, "timeout", "timeout: "),
    ],
)
def test_a_call_has_an_end_and_a_reply_a_size_and_both_may_have_been_billed(
    behave: Misbehave,
    kind: str,
    said: str,
    service: ThreadingHTTPServer,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "MAX_REPLY", 1_000_000)
    service.behave = behave
    with pytest.raises(Fault, match=said) as caught:
        provider.ask(REQUEST)
    service.left.set()
    assert (caught.value.failure.kind, caught.value.lost, service.met) == (kind, True, 1)


@pytest.mark.parametrize(
    "asked", [{"retry_after": "86400"}, {"retry_after": "Wed, 21 Oct 2099 07:28:00 GMT"}]
)
def test_a_pause_has_a_limit_and_the_one_asked_for_is_told(
    asked: dict[str, str], service: ThreadingHTTPServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "LONGEST_PAUSE", 0.01)

    def busy(handler: Handler) -> None:
        handler.begin(429, **asked)
        handler.wfile.write(b'{"type": "error", "error": {"type": "rate_limit_error", "message": "busy"}}')

    service.behave = busy
    with pytest.raises(Fault, match=r"busy.*it asks for a pause of (86400|inf) s; it gets 0\.01 s") as caught:
        provider.ask(REQUEST)
    assert (caught.value.failure.kind, service.met) == ("rate limit", 2)


def test_a_redirect_is_not_followed_with_the_key(service: ThreadingHTTPServer, provider: Provider) -> None:
    service.behave = lambda handler: handler.begin(307, location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(Fault):
        provider.ask(REQUEST)
    assert service.met == 1


ODD = (-1, 10**401, "7", None, True, 1.5, [3])


@pytest.mark.parametrize("odd", [*ODD, 0])
def test_usage_that_cannot_be_is_unknown_and_not_free(odd: object) -> None:
    right = {"input_tokens": 5, "output_tokens": 7}
    assert usage_of(json.dumps({"usage": right})) is not None
    for name in right:
        assert usage_of(json.dumps({"usage": {**right, name: odd}})) is None
        chat = {"prompt_tokens": 5, "completion_tokens": 7} | {
            {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}[name]: odd
        }
        reply = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": chat}
        assert usage_of(message_of(json.dumps(reply))) is None


def test_a_prompt_that_came_from_the_cache_alone_is_known() -> None:
    found = usage_of(
        '{"usage": {"input_tokens": 0, "cache_read_input_tokens": 9, "cache_creation_input_tokens": null, '
        '"output_tokens": 1}}'
    )
    assert found is not None
    assert (found.input, found.cache_read, found.output) == (0, 9, 1)
    assert (
        usage_of('{"usage": {"input_tokens": 1, "cache_read_input_tokens": -9, "output_tokens": 1}}') is None
    )


@pytest.mark.parametrize("odd", [*ODD, 0])
def test_a_count_that_cannot_be_is_as_many_as_there_are_bytes(
    odd: object, service: ThreadingHTTPServer
) -> None:
    def count(handler: Handler) -> None:
        handler.begin()
        handler.wfile.write(json.dumps({"input_tokens": odd}).encode())

    service.behave = count
    address = f"http://127.0.0.1:{service.server_address[1]}"
    with connect_claude("sk-test", address, retries=0) as client:
        counted = Claude(client, ClaudeLimits()).count(REQUEST)
    assert counted > 1000

"""A server on loopback that speaks the OpenAI chat API and can be told to misbehave.

    server = OpenAIServer(); with server: ... server.address ...
    server.faults.extend(["429", "reset"])      what the next calls meet
    python -m tests.servers.openai --port 8123   the same, by hand

It refuses what OpenAI refuses (a tool result without its call, both names of the output limit) and counts
tokens as four characters each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.rule_writer import write_programs
from tests.servers.loopback import SIGN_IN, Handler, Loopback

Json = dict[str, Any]

_REFUSALS = {
    "429": (429, "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota"),
    "500": (500, "server_error"),
    "503": (503, "overloaded"),
    "400": (400, "invalid_request_error"),
    "401": (401, "invalid_api_key"),
    "404": (404, "model_not_found"),
}
_GATEWAY = ("billed 502", "billed 503", "billed 504")  # not in the service's own words


@dataclass
class OpenAIServer(Loopback):
    """One server on a free port; what it saw can be read at any time."""

    key: str | None = None  # None: it asks for none
    port: int = 0
    delay: float = 0.0  # seconds before each answer
    slow: float = 3.0  # seconds that the fault "slow" takes
    faults: deque[str] = field(default_factory=deque)  # of the next calls, first to last
    always: str = ""  # a fault that every call meets
    write: Callable[[str], list[Json]] = write_programs
    calls: list[Json] = field(default_factory=list)  # bodies of calls that were answered
    arrived: int = 0  # calls in all
    tokens: int = 0  # of input and output of all that were answered

    def __post_init__(self) -> None:
        self._listen(_Handler)

    @property
    def address(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"{self.root}/v1"

    def next_fault(self) -> str:
        """The fault that this call meets; "" for none."""
        with self._lock:
            self.arrived += 1
            return self.faults.popleft() if self.faults else self.always

    def reply(self, body: Json, fault: str) -> Json:
        """A chat completion."""
        message, reason = self._message(body, fault)
        usage: Json = {
            "prompt_tokens": -(-len(json.dumps(body)) // 4),
            "completion_tokens": max(1, len(json.dumps(message)) // 4),
            "prompt_tokens_details": {"cached_tokens": 100},
        }
        with self._lock:
            self.calls.append(body)
            self.tokens += usage["prompt_tokens"] + usage["completion_tokens"]
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
        return {
            "id": f"chatcmpl-{len(self.calls)}",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": None if fault == "no-usage" else usage,
        }

    def _message(self, body: Json, fault: str) -> tuple[Json, str]:
        prompt = prompt_of(body)

        def calls_with(arguments: str) -> tuple[Json, str]:
            function = {"name": body["tools"][0]["function"]["name"], "arguments": arguments}
            call = {"id": f"call_{len(self.calls)}", "type": "function", "function": function}
            return {"content": None, "tool_calls": [call]}, "stop"

        def hands_in(programs: Any) -> tuple[Json, str]:
            return calls_with(json.dumps({"programs": programs}))

        match fault:
            case "refusal":
                return {"content": None, "refusal": "I cannot help with that."}, "stop"
            case "filtered":
                return {"content": ""}, "content_filter"
            case "truncated":
                return calls_with('{"programs": [{"source": "def att')[0], "length"
            case "broken-json":
                return calls_with('{"programs": [{"source": "def att')
            case "no-call":
                return {"content": "Attention is all you need."}, "stop"
            case "spoken":
                said = json.dumps({"programs": self.write(prompt)})
                return {"content": f"```json\n{said}\n```"}, "stop"
            case "non-code":
                return hands_in([{"source": "It looks at verbs.", "hypothesis": "verbs"}] * 2)
            case "odd":
                return hands_in([None, 3, {"hypothesis": "no source"}, {"source": ["list"]}])
            case "empty":
                return hands_in([])
            case "huge":
                return hands_in([{"source": "def attend(q, k):\n    return 1" + " + 1" * 100_000}])
        return hands_in(self.write(prompt))


class _Handler(Handler):
    owner: OpenAIServer
    retry_after = "0.02"

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        given = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if self.owner.key is not None and given != self.owner.key:
            self._error(401, "invalid_api_key", f"incorrect API key: {given}")
            return
        self.owner.wait_for_turn()
        time.sleep(self.owner.delay)
        problem = "" if self.path == "/v1/chat/completions" else f"no such path {self.path}"
        problem = problem or _refused(body)
        if problem:
            self._error(400, "invalid_request_error", problem)
            return
        fault = self.owner.next_fault()
        if fault in _REFUSALS:
            status, code = _REFUSALS[fault]
            self._error(status, code, f"as told, to {given}")
        elif fault in _GATEWAY:
            self.owner.reply(body, fault)
            self.time_out(int(fault[-3:]))
        elif fault == "reset":
            self.reset()
        elif fault == "slow":
            self.stall()
        elif fault == "html":
            self.send(200, SIGN_IN, "application/json")
        elif fault == "cut":
            self.cut(json.dumps(self.owner.reply(body, fault)).encode())
        else:
            self.send(200, json.dumps(self.owner.reply(body, fault)).encode(), "application/json")

    def _error(self, status: int, code: str, message: str) -> None:
        content = {"error": {"message": message, "type": code, "param": None, "code": code}}
        self.send(status, json.dumps(content).encode(), "application/json")


def prompt_of(body: Json) -> str:
    """All text of a request's messages but the system's."""
    return "\n".join(m["content"] for m in body["messages"] if m["content"] and m["role"] != "system")


def _refused(body: Json) -> str:
    """Why the real server would refuse a request; "" if it would not."""
    if "max_tokens" in body and "max_completion_tokens" in body:
        return "setting both max_tokens and max_completion_tokens is not supported"
    asked: set[str] = set()
    for message in body["messages"]:
        for call in message.get("tool_calls", []):
            json.dumps(call["function"]["arguments"])
            asked.add(call["id"])
        if message["role"] == "tool":
            if message["tool_call_id"] not in asked:
                return "a tool message has to follow its tool call"
            asked.discard(message["tool_call_id"])
    return "each tool call needs its tool message" if asked else ""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=None)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with OpenAIServer(arguments.key, arguments.port, arguments.delay) as server:
        print(f"OPENAI_BASE_URL={server.address} HEADSCRIPT_OPENAI_MODEL=by-rule", flush=True)
        try:
            while True:
                time.sleep(5)
                print(f"{len(server.calls)} calls, {server.tokens:,} tokens", flush=True)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()

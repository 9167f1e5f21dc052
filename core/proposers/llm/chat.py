"""Messages of content blocks as the OpenAI chat API writes them, and back.

A reply that cannot be translated stays as it arrived; reading it then says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from core.proposers.llm import guide
from core.proposers.llm.provider import stated
from core.types import Json

_STOPS = {"length": "max_tokens", "content_filter": "refusal"}


def chat_tool() -> Json:
    """The one tool, through which programs come back."""
    tool = guide.tool()
    return {
        "type": "function",
        "function": {
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["input_schema"],
            "strict": True,
        },
    }


def chat_messages(messages: Sequence[Json]) -> list[Json]:
    """Turns of blocks as chat messages."""
    return [written for message in messages for written in _of_turn(message)]


def _of_turn(message: Json) -> Iterator[Json]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]}
    text = "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [_call(block) for block in blocks if block["type"] == "tool_use"]
    if calls:
        yield {"role": message["role"], "content": text or None, "tool_calls": calls}
    elif text:
        yield {"role": message["role"], "content": text}


def _call(block: Json) -> Json:
    given = block["input"]
    arguments = given if isinstance(given, str) else json.dumps(given)
    return {
        "id": block["id"],
        "type": "function",
        "function": {"name": block["name"], "arguments": arguments},
    }


def message_of(text: str) -> str:
    """A chat completion as a message of content blocks."""
    try:
        reply = json.loads(text)
        choice = reply["choices"][0]
        message = choice["message"]
        stop = "refusal" if message.get("refusal") else _STOPS.get(choice.get("finish_reason"), "tool_use")
        content = list(_blocks(message))
        return json.dumps({"content": content, "stop_reason": stop, "usage": _usage(reply.get("usage"))})
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return text


def _blocks(message: Json) -> Iterator[Json]:
    """Text and calls; programs that a model without tools wrote as JSON count as a call."""
    said, calls = message.get("content"), message.get("tool_calls") or []
    if isinstance(said, str) and said.strip():
        spoken = None if calls else _spoken(said)
        if spoken is None:
            yield {"type": "text", "text": said}
        else:
            yield {"type": "tool_use", "id": "call_spoken", "name": guide.TOOL, "input": spoken}
    for number, call in enumerate(calls):
        function = call["function"]
        yield {
            "type": "tool_use",
            "id": str(call.get("id") or f"call_{number}"),
            "name": str(function["name"]),
            "input": _read(function.get("arguments")),
        }


def _read(arguments: Any) -> Any:
    """The arguments of a call, or as they are where a model wrote no JSON."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return arguments


def _spoken(text: str) -> Json | None:
    """The tool's input, where text is nothing but that, perhaps in a fence."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    given = _read(bare)
    return given if isinstance(given, dict) and isinstance(given.get("programs"), list) else None


def _usage(told: Any) -> Json | None:
    """Tokens that went in and came out; None where either is not said."""
    if not isinstance(told, dict):
        return None
    went_in, came_out = stated(told.get("prompt_tokens")), stated(told.get("completion_tokens"))
    if went_in is None or came_out is None:
        return None
    details = told.get("prompt_tokens_details")
    cached = stated(details.get("cached_tokens")) if isinstance(details, dict) else 0
    read = min(cached or 0, went_in)
    return {"input_tokens": went_in - read, "cache_read_input_tokens": read, "output_tokens": came_out}

"""Reply a reply: programs, or why there are none. Whatever it says can only become a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.errors import ProgramError
from core.language import MAX_BYTES, ParsedProgram, parse
from core.proposers.llm.guide import TOOL
from core.proposers.llm.provider import MAX_OUTPUT, Request
from core.types import Failure, HeadId, Json

MAX_REPLY = 2**18  # characters; many times what MAX_OUTPUT tokens can be
_LONGEST_PROBLEMS = 1500  # characters of one program's problems that are sent back
_LONGEST_SUMMARY = 100


@dataclass(frozen=True)
class Reply:
    """What a reply holds. `problems` can be sent back for repair; a `failure` cannot."""

    programs: tuple[ParsedProgram, ...] = ()
    problems: tuple[str, ...] = ()
    failure: Failure | None = None


def read_reply(text: str, count: int, head: HeadId) -> Reply:
    """The first `count` programs of a reply for a head, and what is wrong with those that are none."""
    if len(text) > MAX_REPLY:
        return _failed("too large", f"a reply of {len(text):,} characters")
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return _failed("unreadable", f"the reply is not JSON: {text[:80]!r}")
    if not isinstance(reply, dict) or not isinstance(reply.get("content"), list):
        return _failed("unreadable", f"the reply has no content: {text[:80]!r}")
    match reply.get("stop_reason"):
        case "refusal":
            return _failed("refused", "the model declined to answer")
        case "max_tokens" | "model_context_window_exceeded":
            return _failed("truncated", f"the reply was cut off at {MAX_OUTPUT:,} tokens")
    return _read_proposals(list(_proposals(reply["content"])), count, head)


def _failed(kind: str, detail: str) -> Reply:
    return Reply(failure=Failure(kind, detail))


def _read_proposals(proposals: list[Any], count: int, head: HeadId) -> Reply:
    if not proposals:
        return Reply(problems=(f"You handed in no program. Call {TOOL} with {count} programs.",))
    programs: dict[str, ParsedProgram] = {}
    problems: list[str] = []
    for number, proposal in enumerate(proposals[:count], start=1):
        source = proposal.get("source") if isinstance(proposal, dict) else None
        if not isinstance(source, str):
            problems.append(f"Program {number} has no source.")
            continue
        try:
            program = _with_summary(parse(source.strip() + "\n"), proposal.get("hypothesis"))
        except ProgramError as error:
            problems.append(f"Program {number} cannot be read:\n{error}"[:_LONGEST_PROBLEMS])
            continue
        if why_not := program.why_not_for(head):
            problems.append(f"Program {number} is not available: {why_not}.")
        else:
            programs.setdefault(program.id, program)
    return Reply(tuple(programs.values()), tuple(problems))


def _proposals(content: list[Any]) -> Iterator[Any]:
    """The entries of every call of the tool."""
    for block in _tool_uses(content):
        given = block.get("input")
        if block.get("name") == TOOL and isinstance(given, dict) and isinstance(given.get("programs"), list):
            yield from given["programs"]


def _tool_uses(content: list[Any]) -> list[Json]:
    return [block for block in content if isinstance(block, dict) and block.get("type") == "tool_use"]


def _with_summary(program: ParsedProgram, hypothesis: object) -> ParsedProgram:
    """The program with its hypothesis as docstring, if it has none of its own."""
    if program.docstring or not isinstance(hypothesis, str):
        return program
    plain = "".join(character for character in hypothesis if character.isprintable())
    plain = " ".join(plain.replace("\\", "").replace('"', "'").split())[:_LONGEST_SUMMARY]
    header, _, body = program.source.partition("\n")
    source = f'{header}\n    """{plain}"""\n{body}'
    is_plain = plain and header.endswith(":") and len(source.encode()) <= MAX_BYTES
    if not is_plain:
        return program
    try:
        return parse(source)
    except ProgramError:  # indented otherwise
        return program


def repair(request: Request, text: str, problems: tuple[str, ...]) -> Request:
    """The request that sends a reply's problems back; `text` is a reply that `read_reply` could read."""
    content = [block for block in json.loads(text)["content"] if not _is_empty(block)]
    calls = [block["id"] for block in _tool_uses(content) if isinstance(block.get("id"), str)]
    asked = "\n\n".join([*problems, f"Correct this and call {TOOL} again with the corrected programs only."])
    told: list[Json] = [{"type": "text", "text": asked}]
    if calls:
        told = [
            {"type": "tool_result", "tool_use_id": call, "content": asked, "is_error": True} for call in calls
        ]
    turns = [{"role": "assistant", "content": content}] if content else []
    return Request(f"{request.name}-repair", [*request.messages, *turns, {"role": "user", "content": told}])


def _is_empty(block: Any) -> bool:
    """The API refuses to be sent a block of empty text."""
    return not isinstance(block, dict) or (block.get("type") == "text" and not block.get("text"))

"""Conversations as a job's folder keeps them: what was asked about a head, what came back, what it took."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.proposers.llm.ledger import CallLog, usage_of
from core.proposers.llm.provider import Usage
from core.types import HeadId, Json

_CALL = re.compile(r"(L\d+H\d+)-(\d+)(-repair)?")
_RAW = 4000  # characters shown of a reply that is none


@dataclass(frozen=True)
class Turn:
    """One call and its reply."""

    round: int  # from 0
    is_repair: bool  # what was wrong with the round's first reply, sent back
    asked: str  # what the call said beyond the turns before it; empty where that was not kept
    said: str  # the reply's words; as it came, where it has neither words nor programs
    programs: tuple[tuple[str, str], ...]  # what it handed in: hypothesis and source
    usage: Usage | None  # None where the reply does not state it


def heads_asked_about(job: Path) -> list[HeadId]:
    """The heads of which a job's folder keeps a reply, in order."""
    matches = (_CALL.fullmatch(call) for call in CallLog.kept_calls(job))
    return sorted({HeadId.parse(found[1]) for found in matches if found})


def conversation(job: Path, head: HeadId) -> list[Turn]:
    """The turns about a head that were answered, in order."""
    found = []
    for call in CallLog.kept_calls(job):
        match = _CALL.fullmatch(call)
        if match and match[1] == str(head):
            found.append(_turn(job, call, int(match[2]), match[3] is not None))
    return sorted(found, key=lambda turn: (turn.round, turn.is_repair))


def _turn(job: Path, call: str, number: int, is_repair: bool) -> Turn:
    messages, text = CallLog.kept(job, call)
    asked = "\n\n".join(_texts(messages[-1].get("content"))) if messages else ""
    content = _content(text)
    programs = tuple(_programs(content))
    said = "\n\n".join(_texts(content)) or ("" if programs else text[:_RAW])
    return Turn(number, is_repair, asked, said, programs, usage_of(text))


def _content(reply: str) -> list[Json]:
    """The blocks of a reply; none of one that cannot be read."""
    try:
        read = json.loads(reply)
    except (ValueError, RecursionError):
        return []
    return _blocks(read.get("content")) if isinstance(read, dict) else []


def _blocks(content: object) -> list[Json]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _texts(content: object) -> Iterator[str]:
    """What blocks of text and results of a tool say, each thing once."""
    said = (block.get("text", block.get("content")) for block in _blocks(content))
    yield from dict.fromkeys(words for words in said if isinstance(words, str) and words)


def _programs(content: list[Json]) -> Iterator[tuple[str, str]]:
    for block in content:
        given = block.get("input")
        handed_in = given.get("programs") if isinstance(given, dict) else None
        for one in _blocks(handed_in):
            if isinstance(one.get("source"), str):
                yield str(one.get("hypothesis") or ""), one["source"]

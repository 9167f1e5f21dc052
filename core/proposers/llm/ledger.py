"""What a job that pays has asked and got, in its folder, so that no crash pays for a reply twice.

`replies/<call>.json`  a reply as it arrived, written before anything reads it
`asked/<call>.json`    the messages of the call, to be looked at; nothing hangs on them
`paid.jsonl`           only grows: each call before it is sent, and what came of it if no reply did
`batches.jsonl`        only grows: each Message Batch before it is submitted, its id, and that it is settled
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.files import write_whole
from core.proposers.llm.provider import Request, Usage
from core.types import Json

_REPLIES, _ASKED = "replies", "asked"


@dataclass(frozen=True)
class Submission:
    """A Message Batch that was submitted, or was about to be."""

    token: str  # what the names of its calls begin with at the service
    calls: tuple[str, ...]
    batch: str | None = None  # the service's id; None if it never arrived


class CallLog:
    """The calls of one job; for many threads of one worker."""

    def __init__(self, job: Path) -> None:
        self._replies, self._asked = job / _REPLIES, job / _ASKED
        self._replies.mkdir(exist_ok=True)
        self._asked.mkdir(exist_ok=True)
        self._paid = job / "paid.jsonl"
        self._batches = job / "batches.jsonl"
        self._lock = threading.Lock()

    def reply(self, call: str) -> str | None:
        """The reply that is here already."""
        path = self._replies / f"{call}.json"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def keep(self, call: str, text: str) -> None:
        """Write a reply, whole or not at all, to the disk itself."""
        write_whole(self._replies / f"{call}.json", text)

    def keep_request(self, request: Request) -> None:
        """Write down what a call says."""
        write_whole(self._asked / f"{request.name}.json", json.dumps(list(request.messages)))

    @staticmethod
    def kept_calls(job: Path) -> list[str]:
        """The calls of a job that were answered, whether it still works or has ended."""
        return sorted(path.stem for path in (job / _REPLIES).glob("[!.]*.json"))

    @staticmethod
    def kept(job: Path, call: str) -> tuple[list[Json], str]:
        """The messages of an answered call, none where they were not kept, and the reply."""
        asked = job / _ASKED / f"{call}.json"
        messages = json.loads(asked.read_text(encoding="utf-8")) if asked.is_file() else []
        return messages, (job / _REPLIES / f"{call}.json").read_text(encoding="utf-8")

    def asking(self, call: str, most: float) -> None:
        """Note that a call is about to be sent which costs at most so much, in the unit of its terms."""
        self._append(self._paid, {"call": call, "most": most})

    def unpaid(self, call: str, most: float) -> None:
        """Note that a call which was sent will not be billed."""
        self._append(self._paid, {"call": call, "most": -most})

    def submitting(self, calls: Sequence[str]) -> Submission:
        """Note that a batch is about to be submitted."""
        submission = Submission(uuid.uuid4().hex[:12], tuple(calls))
        self._append(self._batches, {"token": submission.token, "calls": list(calls)})
        return submission

    def submitted(self, submission: Submission, batch: str) -> Submission:
        """Note the id of a batch that the service has taken."""
        self._append(self._batches, {"token": submission.token, "batch": batch})
        return Submission(submission.token, submission.calls, batch)

    def settled(self, submission: Submission) -> None:
        """Note that there is nothing more to learn of a batch: it was read, or never taken."""
        self._append(self._batches, {"token": submission.token, "settled": True})

    def open_submissions(self) -> list[Submission]:
        """Every batch that is not settled."""
        noted: dict[str, Json] = {}
        for line in _lines(self._batches):
            noted.setdefault(line["token"], {}).update(line)
        return [
            Submission(token, tuple(line["calls"]), line.get("batch"))
            for token, line in noted.items()
            if "settled" not in line
        ]

    def usage(self) -> Usage:
        """The tokens of all replies that state them."""
        used = Usage()
        for path in sorted(self._replies.glob("[!.]*.json")):
            used += usage_of(path.read_text(encoding="utf-8")) or Usage()
        return used

    def outstanding(self) -> dict[str, float]:
        """Call -> what may be due for having sent it, beyond what a reply states and what is unbilled."""
        sent: dict[str, list[float]] = {}
        for line in _lines(self._paid):
            sent.setdefault(line["call"], []).append(line["most"])
        due = {}
        for call, amounts in sent.items():
            stated = max(amounts) if self._states_usage(call) else 0.0
            due[call] = max(0.0, sum(amounts) - stated)
        return due

    def outstanding_calls(self) -> int:
        """How many calls were sent, beyond those whose reply states its usage and refusals."""
        sent: dict[str, int] = {}
        for line in _lines(self._paid):
            sent[line["call"]] = sent.get(line["call"], 0) + (1 if line["most"] > 0 else -1)
        return sum(max(0, count - self._states_usage(call)) for call, count in sent.items())

    def _states_usage(self, call: str) -> bool:
        reply = self.reply(call)
        return reply is not None and usage_of(reply) is not None

    def _append(self, path: Path, line: Json) -> None:
        with self._lock, path.open("a") as file:
            if file.tell() and not _ends_a_line(path):
                file.write("\n")
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def usage_of(text: str) -> Usage | None:
    """The usage that a reply states; None if it states none or cannot be read."""
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        reply = None
    return Usage.of_reply(reply if isinstance(reply, dict) else {})


def _lines(path: Path) -> list[Json]:
    """The whole lines of a file; half a line, left by a crash, is none."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

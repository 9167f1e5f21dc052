"""Programs on passages: guests at work beside one another, and what they gave kept for a while."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from core.errors import SandboxError
from core.sandbox import lockdown
from core.sandbox.guests import Gone, Guest, Overdue, in_words
from core.sandbox.matrices import as_attention
from core.sandbox.protocol import Forged
from core.sandbox.zygote import Limits, Zygote
from core.settings import cores
from core.types import Failure

_KEPT = 2**26  # bytes of matrices that are not asked for again
_GUESTS = min(8, cores())
_LEAST = 32  # passages for which another guest is worth its start
_CANARY = '''
def canary(sentence, tokenizer):
    """How many of the doors are open."""
    import os
    doors = [
        lambda: os.open("/", os.O_RDONLY),
        lambda: os.stat("/"),
        lambda: os.fork(),
        lambda: os.pipe(),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.dup(0),
    ]
    opened = 0
    for door in doors:
        try:
            door()
            opened += 1
        except OSError:
            pass
    return "canary", [[opened]]
'''


@dataclass(frozen=True)
class Passage:
    """What a program is shown of a passage."""

    text: str
    ids: tuple[int, ...]  # its tokens, as the model reads them
    document: Mapping[str, Any] | None = None  # spaCy's, where the program asks for it (documents.py)


def require_sandbox(trust: bool = False) -> None:
    """Raises SandboxError where this machine cannot lock a process in, and nobody asked to do without."""
    if not hasattr(os, "fork"):
        raise SandboxError("plain Python of other people is run in forked processes, which this system lacks")
    if not trust and (reason := lockdown.why_not()):
        raise SandboxError(_NOWHERE.format(reason))


class Sandbox:
    """Runs programs of plain Python over a model's tokenizer. Several threads may use it.

    With `trust` nothing is locked, which is for a person to ask for. Raises SandboxError where the machine
    cannot lock a process in and nobody asked to do without.
    """

    def __init__(
        self, tokenizer: Mapping[str, Any], limits: Limits | None = None, trust: bool = False
    ) -> None:
        require_sandbox(trust)
        self._tokenizer = tokenizer
        self._limits = limits or Limits()
        self._trust = trust
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], np.ndarray | Failure] = OrderedDict()
        self._bytes = 0
        self._overdue = Counter[tuple[str, str]]()  # passages by program, as far as this process has seen
        self._zygote = self._begin()
        self._guests = ThreadPoolExecutor(_GUESTS, thread_name_prefix="guest")

    @property
    def has_namespaces(self) -> bool:
        """Whether guests have user and network namespaces of their own, beside the locks."""
        return self._zygote.has_namespaces

    def run(
        self, source: str, name: str, passages: Sequence[Passage], causal: bool
    ) -> list[np.ndarray | Failure]:
        """What the function `name` of a program gives for each passage: float32 [query, key], or a Failure.

        Rows sum to 1; `causal` ones end at the query. What was run before may be remembered.
        """
        keys = [_key(source, name, passage, causal) for passage in passages]
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [at for at, key in enumerate(keys) if key not in found]
        share = max(_LEAST, -(-len(missing) // _GUESTS))
        parts = [missing[start : start + share] for start in range(0, len(missing), share)]

        def run_part(part: Sequence[int]) -> list[np.ndarray | Failure]:
            return self._run(source, name, [passages[at] for at in part])

        for part, results in zip(parts, self._guests.map(run_part, parts), strict=True):
            for at, result in zip(part, results, strict=True):
                found[keys[at]] = result if isinstance(result, Failure) else as_attention(result, causal)
        self._keep({keys[at]: found[keys[at]] for at in missing})
        return [found[key] for key in keys]

    def close(self) -> None:
        """End every process of it."""
        self._guests.shutdown()
        self._zygote.close()

    def _begin(self) -> Zygote:
        zygote = Zygote(self._tokenizer, self._limits, self._trust)
        try:
            if not self._trust:
                _prove(zygote, self._limits)
        except BaseException:
            zygote.close()
            raise
        return zygote

    def _run(self, source: str, name: str, passages: Sequence[Passage]) -> list[np.ndarray | Failure]:
        """One part of the passages, with a new guest wherever the last one is of no more use."""
        found: list[np.ndarray | Failure] = []
        while len(found) < len(passages):
            if self._overdue[name, source] >= self._limits.timeouts:
                left = len(passages) - len(found)
                told = f"not tried: it ran out of time on {self._limits.timeouts} passages before"
                found += [Failure("timeout", told)] * left
                break
            guest = self._guest({"source": source, "name": name})
            try:
                with guest:
                    for at in range(len(found), len(passages)):
                        found.append(guest.matrix(_shown(at, passages[at])))
            except Overdue:
                self._overdue[name, source] += 1
                found.append(Failure("timeout", f"{self._limits.seconds:g} s"))
            except Gone:
                found.append(Failure("crash", in_words(guest.status)))
            except Forged as error:
                found.append(Failure("protocol", str(error)))
        return found

    def _guest(self, program: Mapping[str, str]) -> Guest:
        """A guest, of a new process to fork from where the old one is gone; raises SandboxError."""
        zygote = self._zygote
        try:
            return Guest(zygote, self._limits, program)
        except OSError:
            with self._lock:
                if self._zygote is zygote:
                    zygote.close()
                    self._zygote = self._begin()
        try:
            return Guest(self._zygote, self._limits, program)
        except OSError as error:
            raise SandboxError(f"no process can be had to run plain Python in: {error}") from error

    def _keep(self, results: Mapping[tuple[str, ...], np.ndarray | Failure]) -> None:
        """Remember results, but for what may end otherwise another time."""
        with self._lock:
            for key, result in results.items():
                is_sure = not isinstance(result, Failure) or result.kind not in ("timeout", "crash")
                if is_sure and key not in self._kept:
                    self._kept[key] = result
                    self._bytes += _size(result)
            while self._bytes > _KEPT and self._kept:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


_NOWHERE = (
    "plain Python of other people is not run on this machine: {}. With --trust (or HEADSCRIPT_TRUST=programs "
    "in the environment) it runs without any lock, with all that you may do yourself"
)
_shared: list[tuple[int, Mapping[str, Any], bool, Sandbox]] = []  # by process, tokenizer and trust
_sharing = Lock()


def shared(tokenizer: Mapping[str, Any], trust: bool = False) -> Sandbox:
    """This process's sandbox over a tokenizer, begun where there is none; it ends with the process."""
    with _sharing:
        for process, known, trusts, sandbox in _shared:
            is_same = known is tokenizer or known == tokenizer
            if process == os.getpid() and trusts == trust and is_same:
                return sandbox
        sandbox = Sandbox(tokenizer, trust=trust)
        _shared.append((os.getpid(), tokenizer, trust, sandbox))
        return sandbox


@atexit.register
def _close_shared() -> None:
    with _sharing:
        for process, *_, sandbox in _shared:
            if process == os.getpid():
                with contextlib.suppress(OSError):
                    sandbox.close()
        _shared.clear()


def _prove(zygote: Zygote, limits: Limits) -> None:
    """Try the locks on a program of our own; raises SandboxError if one is open."""
    try:
        with Guest(zygote, limits, {"source": _CANARY, "name": "canary"}) as guest:
            found = guest.matrix({"number": 0, "text": "a", "ids": [0], "document": None})
    except (Overdue, Gone, Forged, OSError) as error:
        reason = "the kernel refuses the locks, or a locked process cannot go on"
        raise SandboxError(_NOWHERE.format(reason)) from error
    if isinstance(found, Failure):
        raise SandboxError(_NOWHERE.format(f"its locks could not be tried ({found.detail})"))
    if found[0, 0] != 0:
        raise SandboxError(_NOWHERE.format(f"{found[0, 0]:.0f} of the locks tried are open"))


def _shown(number: int, passage: Passage) -> dict[str, Any]:
    document = None if passage.document is None else dict(passage.document)
    return {"number": number, "text": passage.text, "ids": list(passage.ids), "document": document}


def _key(source: str, name: str, passage: Passage, causal: bool) -> tuple[str, ...]:
    of_passage = json.dumps([passage.text, passage.ids, passage.document]).encode()
    of_program = f"{name}\n{source}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(of_program).hexdigest(), hashlib.sha256(of_passage).hexdigest(), str(causal)


def _size(result: np.ndarray | Failure) -> int:
    return 200 if isinstance(result, Failure) else result.nbytes + 200

"""Any server that speaks the OpenAI chat API: OpenAI itself, vLLM, Ollama, llama.cpp.

Requests and replies are translated on the way, so that everything else is as with Claude. No price is known
of such a model: what is limited are tokens and calls. The SDK repeats nothing by itself, for it cannot tell a
call that may have been billed from one that was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from core.errors import ProposerError
from core.proposers.llm.bounded import LONGEST_PAUSE, asked_pause, bounded
from core.proposers.llm.budget import TOKENS, Terms
from core.proposers.llm.provider import LONGEST_REASON, MAX_OUTPUT, Fault, Request
from core.proposers.proposer import LanguageModel, Proposer, limit
from core.settings import Patience, Settings
from core.types import Bounds, Failure, Json

TIMEOUT = 600.0  # seconds a call may take; a model on a small machine is slow
_NO_KEY = "none"  # what a server that needs no key is sent
_GATEWAY_GAVE_UP = (408, 502, 504)  # what stood behind it may have gone on and finished
_FATAL = (401, 402, 403, 404)  # met by every call alike


@dataclass(frozen=True)
class OpenAILimits:
    """What a run with a model behind the OpenAI chat API may use."""

    model: str = limit("", "Model", "as the server calls it", told="{}", is_option=False)
    base_url: str = limit(
        "", "Server", "base URL of the server, such as http://localhost:11434/v1; OpenAI's own if empty"
    )
    candidates: int = limit(3, "Candidates", "programs a call", Bounds(1, 10), told="{} candidates")
    rounds: int = limit(
        3,
        "Rounds",
        "refinements of a head after its first candidates, at most",
        Bounds(0, 10),
        told="{} rounds",
    )
    calls: int = limit(
        500, "Calls, at most", "most calls of a run", Bounds(1), offered=(1, 1_000_000), told="{:,} calls"
    )
    tokens: int = limit(
        5_000_000,
        "Tokens, at most",
        "tokens of input and output; a call that could pass it is not made",
        Bounds(1_000),
        offered=(1_000, 10**12),
        step=100_000,
        told="{:,} tokens",
    )

    @property
    def batches(self) -> bool:
        """Never: replies come at once."""
        return False


class OpenAIModel:
    """One model behind the chat API."""

    def __init__(self, client: Any, limits: OpenAILimits, patience: Patience | None = None) -> None:
        self._client, self._limits = client, limits
        self._patience = patience or Patience()
        self._sdk = _sdk()

    def count(self, request: Request) -> int:
        """As many tokens as the request has bytes, which is never too few: the API cannot count."""
        return len(json.dumps(self.body(request)).encode())

    def ask(self, request: Request) -> str:
        """The reply as a message of content blocks; a refusal of the moment is met by asking again."""
        wait = self._patience.after_refusal
        for _ in range(self._patience.retries):
            try:
                return self._once(request)
            except _Refused as refused:
                time.sleep(wait if refused.wait is None else refused.wait)
                wait = min(2 * wait, self._patience.longest)
        return self._once(request)

    def body(self, request: Request) -> Json:
        """A request as the API takes it: with the tool forced, since many servers offer it no other way."""
        from core.proposers.llm import guide  # both know the language, which takes a while to import
        from core.proposers.llm.chat import chat_messages, chat_tool

        own = "api.openai.com" in str(self._client.base_url)
        return {
            "model": self._limits.model,
            "messages": [{"role": "system", "content": guide.system()}, *chat_messages(request.messages)],
            "tools": [chat_tool()],
            "tool_choice": {"type": "function", "function": {"name": guide.TOOL}},
            # OpenAI's newer models refuse the old name, several other servers do not know the new one.
            "max_completion_tokens" if own else "max_tokens": MAX_OUTPUT,
        }

    def _once(self, request: Request) -> str:
        from core.proposers.llm.chat import message_of

        with self._faults():
            raw = self._client.chat.completions.with_raw_response.create(**self.body(request))
            return message_of(self._without_key(raw.http_response.text))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Whatever goes wrong is a Fault or, if it would with every call, a ProposerError."""
        try:
            yield
        except self._sdk.APIStatusError as error:
            raise self._of_status(error) from None
        except self._sdk.APIConnectionError as error:
            raise self._of_connection(error) from None
        except (self._sdk.OpenAIError, ValueError, TypeError, AttributeError) as error:
            said = self._short(f"the answer is not one of this API: {error}")
            raise Fault(Failure("unreadable", said), lost=True) from None

    def _of_connection(self, error: Exception) -> Fault:
        """A call that was never sent may be sent again; any other may have been answered, and billed."""
        kind = "timeout" if isinstance(error, self._sdk.APITimeoutError) else "connection"
        cause = error.__cause__ or error
        failure = Failure(kind, self._short(f"{error} {cause}"))
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout"):
            return _Refused(failure, None)
        return Fault(failure, lost=True)

    def _of_status(self, error: Any) -> Exception:
        status, said = error.status_code, self._short(str(error))
        if status in _FATAL or error.code == "insufficient_quota":
            return ProposerError(
                f"the server refuses every call: {said}; check OPENAI_API_KEY, OPENAI_BASE_URL, the model "
                f"({self._limits.model!r}) and what is left of your quota"
            )
        if status in _GATEWAY_GAVE_UP or (status >= 500 and not isinstance(error.body, dict)):
            return Fault(Failure("server error", f"a gateway answered {status}"), lost=True)
        if status == 429 or status >= 500:
            kind = "rate limit" if status == 429 else "overloaded" if status == 503 else "server error"
            wait = _seconds(error.response.headers.get("retry-after"))
            return _Refused(Failure(kind, said + asked_pause(error.response)), wait)
        return Fault(Failure("rejected", said), lost=False)

    def _short(self, text: str) -> str:
        return self._without_key(" ".join(text.split()))[:LONGEST_REASON]

    def _without_key(self, text: str) -> str:
        """A server may quote the key it was sent; it is not kept."""
        key = self._client.api_key
        return text if key == _NO_KEY else text.replace(key, "[key]")


class _Refused(Fault):
    """A call that was not answered and costs nothing; another moment may be better."""

    def __init__(self, failure: Failure, wait: float | None) -> None:
        super().__init__(failure, lost=False)
        self.wait = wait  # seconds that the server asks for


def _seconds(said: str | None) -> float | None:
    """What `retry-after` asks for, if that is a number of seconds."""
    try:
        asked = float(said or "")
    except ValueError:
        return None
    return asked if 0 <= asked <= LONGEST_PAUSE else None


def _sdk() -> ModuleType:
    """The `openai` package; raises ProposerError saying how to install it."""
    try:
        import openai
    except ImportError as error:
        raise ProposerError(
            "the proposer `openai` needs a package that is not installed: "
            "pip install -r requirements-openai.txt"
        ) from error
    return openai


_SERVICE = "https://api.openai.com/v1"  # the SDK takes an empty OPENAI_BASE_URL for an address


def connect(key: str | None, base_url: str | None, timeout: float = TIMEOUT) -> Any:
    """The SDK's client; nothing is sent yet."""
    sdk = _sdk()
    return sdk.OpenAI(
        api_key=key or _NO_KEY,
        base_url=base_url or _SERVICE,
        timeout=timeout,
        max_retries=0,
        http_client=bounded(sdk.DefaultHttpxClient)(timeout=timeout),
    )


@contextmanager
def _opened(limits: OpenAILimits, settings: Settings) -> Iterator[OpenAIModel]:
    _check(limits, settings)
    with closing(connect(settings.openai_key, limits.base_url or settings.openai_url)) as client:
        yield OpenAIModel(client, limits, settings.patience)


def _check(limits: OpenAILimits, settings: Settings) -> None:
    """Raises ProposerError if there is no package, no model, or neither a key nor a server without one."""
    _sdk()
    key = settings.openai_key
    if not key and not (limits.base_url or settings.openai_url):
        raise ProposerError(
            "OpenAI needs an API key in the environment variable OPENAI_API_KEY; a server of your own needs "
            "none, but its address in OPENAI_BASE_URL, such as http://localhost:11434/v1"
        )
    if key and not (key.isascii() and key.isprintable()):
        raise ProposerError("OPENAI_API_KEY holds a character that no key has; copy the key again")
    if not limits.model:
        raise ProposerError("name the model to ask: in HEADSCRIPT_OPENAI_MODEL, or as the limit `model`")


_SETUP = (
    "A model behind the OpenAI chat API needs a server and a model: set `OPENAI_BASE_URL`, such as "
    "`http://localhost:11434/v1` for Ollama, and `HEADSCRIPT_OPENAI_MODEL`; for OpenAI itself "
    "`OPENAI_API_KEY` instead of the address, in the environment or in `.streamlit/secrets.toml`. Then start "
    "the app again. The key is never stored or shown."
)

OPENAI = Proposer(
    name="openai",
    title="OpenAI",
    job="Ask a language model",
    about="Any server that speaks the OpenAI chat API: OpenAI, vLLM, Ollama, llama.cpp.",
    limits=OpenAILimits,
    way=LanguageModel(
        "the model",
        _opened,
        lambda limits: Terms(float(limits.tokens), TOKENS, limits.calls),
        lambda heads, limits, input_tokens: None,
        _check,
        _SETUP,
    ),
    secrets=("OPENAI_API_KEY",),
    needs_device=False,
    settings=lambda settings: {"model": settings.openai_model or "", "base_url": settings.openai_url or ""},
)

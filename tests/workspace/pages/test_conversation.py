"""What a run with Claude asked about a head and what came back, on the Synthesize page."""

import json
from pathlib import Path

from core import wire
from core.proposers import ClaudeLimits
from core.proposers.llm.ledger import CallLog
from core.proposers.llm.provider import Request
from core.store import Workspace
from tests.workspace.pages.test_pages import OpenApp, go, open_app, text_of

__all__ = ["open_app"]

JOB = "20260101-000000-claude-abc"
BROKEN, MENDED = "def attend(q, k):\n    return k.nothing\n", "def attend(q, k):\n    return k.is_first\n"


def reply(source: str, output: int) -> str:
    handed_in = {"programs": [{"hypothesis": "rests on *the first*", "source": source}]}
    content = [{"type": "tool_use", "id": "t", "name": "propose", "input": handed_in}]
    return json.dumps({"content": content, "usage": {"input_tokens": 1000, "output_tokens": output}})


def test_a_heads_conversation_is_shown_with_its_repair_and_its_cost(
    open_app: OpenApp, workspace_copy: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    limits = wire.plain(ClaudeLimits(model="claude-sonnet-5"))
    workspace.jobs.add(JOB, "claude", workspace.models.all()[0].id, {"heads": ["L0H1"], "limits": limits})
    workspace.jobs.set_state(JOB, "done")
    workspace.close()
    folder = workspace_copy / "jobs" / JOB
    folder.mkdir()
    log = CallLog(folder)
    asked = {"role": "user", "content": [{"type": "text", "text": "One attention head."}]}
    sent_back = {"role": "user", "content": [{"type": "tool_result", "content": "Program 1 cannot be read."}]}
    log.keep_request(Request("L0H1-0", [asked]))
    log.keep("L0H1-0", reply(BROKEN, 2000))
    log.keep_request(Request("L0H1-0-repair", [asked, {"role": "assistant", "content": []}, sent_back]))
    log.keep("L0H1-0-repair", reply(MENDED, 3000))
    log.keep("L10H2-0", reply(MENDED, 1))

    app = go(open_app(workspace_copy), "synthesize")
    assert not app.exception
    (choice,) = [box for box in app.selectbox if box.key == f"talk-run-{JOB}"]
    assert choice.options == ["L0H1", "L10H2"]
    codes = [found.value for found in app.code]
    shown = ["One attention head.", BROKEN, "Program 1 cannot be read.", MENDED]
    assert codes[-4:] == [one.strip() for one in shown]
    # 2,000 tokens of input at 2 dollars a million, 5,000 of output at 10
    assert "2 calls · 2,000 tokens of input · 5,000 of output · **\\$0.0540**" in text_of(app)
    assert r"rests on \*the first\*" in text_of(app)
    choice.select("L10H2").run()
    assert "An older version kept the replies alone." in text_of(app)

"""The command `serve`: a process that answers beside the one that holds the workspace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from core.store import Workspace
from core.types import Action
from tests.conftest import call_core
from tests.servers.ports import free_port

pytest.importorskip("fastapi", reason="the API needs FastAPI; pip install -r requirements-serve.txt")

TOKEN = "sixteen letters or more"


def test_it_answers_while_the_app_holds_the_workspace_and_writes(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0].id
    port = free_port()
    command = [sys.executable, "-m", "core", "serve", "--port", str(port), "--workspace", str(workspace_copy)]
    copies = workspace_copy.parent / "copies"
    copies.mkdir()
    environment = os.environ | {"HEADSCRIPT_TOKEN": TOKEN, "TMPDIR": str(copies)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert server.stderr.readline().startswith(f"http://127.0.0.1:{port} answers for ")
            assert answer(port, "/models")[0]["model_id"] == model
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/models", timeout=10)
            head, program = workspace.library.best_programs(model)[0]
            workspace.verdicts.record(model, head, program, Action.ACCEPT, "ada")
            until = time.monotonic() + 60
            while not answer(port, f"/models/{model}/verdicts"):
                assert time.monotonic() < until
        finally:
            assert list(copies.iterdir())
            server.terminate()
        told = server.stderr.read()
    assert told == ""
    assert server.returncode == 0
    assert not list(copies.iterdir())
    workspace.close()


def answer(port: int, path: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    return json.loads(urllib.request.urlopen(request, timeout=60).read())


def test_where_it_may_not_or_cannot_listen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "headscript.example.org"):
        told = call_core("serve", "--host", host, workspace=tmp_path)
        assert told.returncode == 2
        assert f"whoever reaches {host} could read the workspace" in told.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = call_core("serve", "--port", str(taken.getsockname()[1]), workspace=tmp_path)
    assert told.returncode == 2
    assert "cannot listen on 127.0.0.1" in told.stderr
    monkeypatch.setenv("HEADSCRIPT_TOKEN", "short")
    told = call_core("serve", workspace=tmp_path)
    assert told.returncode == 2
    assert "HEADSCRIPT_TOKEN is shorter than 16 letters" in told.stderr

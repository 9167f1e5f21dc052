"""What every page needs from the workspace: one owner a server, the chosen model, cached reads."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.audit import Standing
from core.features import Features
from core.jobs import Jobs, Watch
from core.jobs.kinds import KINDS
from core.plugins import load_plugins
from core.proposers import Proposer
from core.scoring import program_maps, program_of, sentence_ious
from core.settings import Settings
from core.store import JobRecord, Workspace
from core.types import CardId, Failure, HeadId, ModelInfo, Sentence, Split

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Owner:
    """This server's hold on the workspace."""

    settings: Settings
    workspace: Workspace
    runner: Jobs
    watch: Watch

    def close(self) -> None:
        """Let another process have the workspace; jobs that run go on."""
        self.watch.stop()
        self.workspace.close()


@st.cache_resource(show_spinner="Opening the workspace")
def owner() -> Owner:
    """The open workspace, shared by all sessions of this server; raises WorkspaceError."""
    settings = Settings.read(os.environ)
    load_plugins(settings)
    workspace = Workspace.open(settings.workspace)
    runner = Jobs(workspace, settings)
    held = Owner(settings, workspace, runner, Watch(runner))
    atexit.register(held.close)
    gc.freeze()  # what was imported stays; collections need not look at it again and again
    return held


def active_jobs() -> list[JobRecord]:
    """Jobs that run, then those that wait in their order, after taking in what was found so far."""
    jobs = owner().runner.refresh()
    return [job for job in jobs if job.state == "running"] + owner().workspace.jobs.queue()


def running_job() -> JobRecord | None:
    """The job that has the device, after taking in what it has found so far."""
    running = (job for job in active_jobs() if job.state == "running")
    return next((job for job in running if KINDS[job.kind].needs_device), None)


def secrets(proposer: Proposer | None) -> dict[str, str]:
    """What a proposer's worker is handed, by name: the environment's, else that of Streamlit's secrets."""
    names = proposer.secrets if proposer else ()
    values = {name: owner().settings.secret(name) or _secret(name) for name in names}
    return {name: value for name, value in values.items() if value}


def _secret(name: str) -> str | None:
    try:
        return str(st.secrets.get(name, "")).strip() or None
    except FileNotFoundError:  # there is no secrets file
        return None


def models() -> list[ModelInfo]:
    """The models of the workspace, the latest first."""
    return owner().workspace.models.all()


def chosen_model() -> ModelInfo | None:
    """The model the sidebar shows."""
    found = models()
    wanted = st.session_state.get("model")
    return next((model for model in found if model.id == wanted), found[0] if found else None)


@st.cache_data(show_spinner=False, max_entries=8)
def features(model: str, sentences: tuple[str, ...]) -> Features:
    """Token features of these sentences."""
    read = all_features(model, version())
    return read.select([read.row(sentence) for sentence in sentences])


@st.cache_resource(show_spinner=False, max_entries=2)
def all_features(model: str, version: int) -> Features:
    """Token features of every sentence; reading the table anew for some takes as long."""
    return owner().workspace.tokens(model).read()


@st.cache_data(show_spinner=False, max_entries=4)
def sentences(model: str, version: int) -> list[Sentence]:
    """The sentences a model was run on; `version` changes when jobs end."""
    return owner().workspace.models.sentences(model)


def version() -> int:
    """A number that changes whenever a job has brought something new or a program was saved."""
    return owner().workspace.library.revision()


def has_programs(model: ModelInfo) -> bool:
    """Whether there is a program to show."""
    return owner().workspace.library.has_programs(model.id)


def best_frame(model: ModelInfo, split: Split = Split.TEST) -> pd.DataFrame:
    """The best program of each head, see `Library.best_frame`."""
    return owner().workspace.library.best_frame(model.id, split)


def standings(model: ModelInfo) -> dict[CardId, Standing]:
    """Where each audited program stands on the ladder."""
    return owner().workspace.findings.standings(model.id)


@dataclass(frozen=True)
class SideBySide:
    """A head and a program on one sentence."""

    tokens: list[str]
    head: np.ndarray  # float32 [query, key]
    program: np.ndarray  # float32 [query, key]; zero where the program failed
    failure: Failure | None


@st.cache_data(show_spinner=False, max_entries=256)
def ious_by_sentence(model: ModelInfo, head: HeadId, source: str, names: tuple[str, ...]) -> dict[str, float]:
    """IoU of a program with a head on each of these sentences."""
    reader = owner().workspace.attention(model.id)
    maps = {found.sentence: found.weights[None] for found in reader.head(head)}
    present = [name for name in names if name in maps]
    if not present:
        return {}
    read = features(model.id, tuple(present))
    program = program_of(source)
    looks = reader.looks(read.sentences) if program.may_stand_for(head) else None
    produced = program_maps([program], read, model.is_causal, looks=looks)
    ious = sentence_ious(produced.within(model.window(head.layer)), maps)[0, 0]
    return dict(zip(produced.sentences, (float(iou) for iou in ious), strict=True))


def of_splits(model: ModelInfo, splits: Sequence[Split]) -> list[Sentence]:
    """The model's sentences in these splits."""
    return [sentence for sentence in sentences(model.id, version()) if sentence.split in splits]

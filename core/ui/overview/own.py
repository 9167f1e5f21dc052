"""A model and a corpus of one's own: asked for, estimated, and built by the command line's job."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.corpus import CORPORA, load_corpus, require_splits
from core.display import counted
from core.errors import CorpusError, HeadscriptError, ModelError, WorkspaceError
from core.files import disk_errors, write_whole
from core.ui.parts import frame, jobs, state
from core.ui.parts.reviewer import account, has_accounts

_FILE, _PATH = "A file of mine", "A path or data set"
_TYPES = ["txt", "jsonl", "ndjson", "json", "csv", "tsv", "parquet"]
_ESTIMATE = "own-estimate"  # what was asked when it was made, and what it says


@dataclass(frozen=True)
class Asked:
    """What the form says."""

    model: str
    corpus: str  # a name, a path, or the name of what is uploaded
    upload: bytes | None
    limit: int | None
    searches: bool

    @property
    def digest(self) -> str:
        """What tells apart uploads of one name."""
        return hashlib.sha256(self.upload or b"").hexdigest()[:12]


def draw_own() -> None:
    """The form, what it will take, and the button that starts it."""
    if has_accounts() and account() is None:
        st.info("Log in in the sidebar to build from a model of your own.", icon=":material/login:")
        return
    asked = _draw_form()
    with st.container(horizontal=True, vertical_alignment="center"):
        estimates = st.button("Estimate", key="own-estimate-button", icon=":material/schedule:")
        starts = st.button("Start", key="own-start", type="primary", icon=":material/play_arrow:")
    if estimates:
        _succeeds(lambda: st.session_state.update({_ESTIMATE: (asked, estimate(asked))}))
    if starts and _succeeds(lambda: start(asked)):
        st.rerun()
    made_for, words = st.session_state.get(_ESTIMATE, (None, ""))
    if made_for == asked:
        st.markdown(words)


def _draw_form() -> Asked:
    left, right = st.columns(2, gap="large")
    with left:
        model = st.text_input(
            "Model", key="own-model", placeholder="OWNER/MODEL, a folder, a .gguf file or demo",
            help="Of the Hugging Face hub, also OWNER/MODEL@REVISION; or on the machine that runs this app",
        )  # fmt: skip
        limit = st.number_input(
            "Passages at most", min_value=1, value=None, step=50, key="own-limit", placeholder="all"
        )
        searches = st.checkbox(
            "Find a program for every head, too", True, key="own-searches",
            help="Else only the attention is extracted; programs can be found later, on Synthesize",
        )  # fmt: skip
    with right:
        titles = [one.title for one in CORPORA.values()]
        which = st.radio("Corpus", [_FILE, _PATH, *titles], key="own-corpus", horizontal=True)
        corpus, upload = "", None
        if which == _FILE:
            given = st.file_uploader("A passage a line, or a column `text`", type=_TYPES, key="own-file")
            corpus, upload = (given.name, given.getvalue()) if given is not None else ("", None)
        elif which == _PATH:
            corpus = st.text_input(
                "File, folder or data set", key="own-path", placeholder="passages.txt, a folder or OWNER/DATA"
            )
        else:
            corpus = next(one.name for one in CORPORA.values() if one.title == which)
    return Asked(model.strip(), corpus.strip(), upload, None if limit is None else int(limit), searches)


def _succeeds(act: Callable[[], object]) -> bool:
    """Whether something could be done; says why not."""
    try:
        with st.spinner("Looking at the model and the corpus"):
            act()
    except HeadscriptError as error:
        st.error(f"Nothing was started: {frame.as_text(str(error))}", icon=":material/error:")
        return False
    return True


def estimate(asked: Asked) -> str:
    """What it will take, in words; raises ModelError or CorpusError where it cannot be."""
    from core.jobs.forecast import forecast  # imports transformers

    if not asked.model:
        raise ModelError("name a model: of the hub, a folder, a .gguf file or demo")
    if not asked.corpus:
        raise CorpusError("choose a corpus: upload a file, name one, or take the bundled one")
    owner = state.owner()
    with _readable(asked) as source:
        corpus = load_corpus(source, asked.limit)
    if asked.searches:
        require_splits(corpus.sentences)
    found = forecast(asked.model, corpus, asked.searches, owner.settings.models_folder)
    free = shutil.disk_usage(owner.workspace.folder).free
    if found.bytes > free:
        raise WorkspaceError(
            f"the attention takes about {_size(found.bytes)}, but the disk has {_size(free)} left; take "
            "fewer passages"
        )
    notice = f"  \n{frame.as_text(corpus.notice)}" if corpus.notice else ""
    return (
        f"{counted(found.passages, 'passage')} of {found.tokens:,} tokens, {counted(found.heads, 'head')}: "
        f"about **{jobs.duration(found.seconds)}** on two cores and **{_size(found.bytes)}** on disk. On a "
        f"GPU it takes less; a model of the hub is fetched first.{notice}"
    )


def start(asked: Asked) -> None:
    """Start the job that `extract`, or `extract` and `synthesize`, would; raises HeadscriptError.

    What is uploaded is kept in the workspace, unless there is no job for it.
    """
    estimate(asked)
    owner = state.owner()
    path = _kept_at(asked)
    is_new = path is not None and not path.exists()
    try:
        if path is not None and is_new:
            _keep(path, asked.upload or b"")
        corpus = str(Path(asked.corpus).expanduser()) if path is None else str(path)
        owner.runner.start_build(asked.model, corpus, asked.limit, search=asked.searches)
    except HeadscriptError:
        if path is not None and is_new:
            shutil.rmtree(path.parent, ignore_errors=True)
        raise


def _kept_at(asked: Asked) -> Path | None:
    """Where an upload is kept; one of the same content and name is the same."""
    if asked.upload is None:
        return None
    return state.owner().workspace.folder / "corpora" / asked.digest / Path(asked.corpus).name


def _keep(path: Path, content: bytes) -> None:
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


@contextmanager
def _readable(asked: Asked) -> Iterator[str]:
    """The corpus as something to be read; an upload is a file only meanwhile."""
    if asked.upload is None:
        yield str(Path(asked.corpus).expanduser())
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(asked.corpus).name
        path.write_bytes(asked.upload)
        yield str(path)


def _size(count: int) -> str:
    """`12 MB`, `3.4 GB`."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6)):,} MB"

"""A workspace in a notebook or a script: read, never written, and beside an app that is running.

with open_workspace("workspace") as study:
    study.scores(), study.programs(), study.verdicts()     pandas frames
    study.head("L7H3").show("the first passage with these words")
    with study.hybrid("accepted") as model:                 heads replaced until the block ends
        model.logits(["Once upon a time"])
"""

from core.notebook.heads import Head, Picture
from core.notebook.hybrids import OpenHybrid
from core.notebook.reader import WorkspaceReader, open_workspace

__all__ = ["Head", "OpenHybrid", "Picture", "WorkspaceReader", "open_workspace"]

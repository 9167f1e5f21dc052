"""`streamlit run` in children of a process that has imported what the app's pages need."""

from __future__ import annotations

import sys

from core.jobs.runners.fork_server import serve

MODULES = (
    "altair",
    "core.jobs",
    "core.review",
    "core.sharing",
    "streamlit.web.bootstrap",
    "streamlit.web.cli",
)

if __name__ == "__main__":
    arguments = serve(int(sys.argv[1]), MODULES)
    from streamlit.web.cli import main

    sys.argv = ["streamlit", "run", *arguments]
    main()

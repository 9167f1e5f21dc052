"""Fresh environments, in which there is what Headscript needs but not Headscript."""

from __future__ import annotations

import sys
import venv
from pathlib import Path


def environment(folder: Path) -> Path:
    """The folder of programs of a new environment that sees the packages of this one, and no checkout."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return folder / "bin"

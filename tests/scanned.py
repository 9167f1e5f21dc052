"""Each app that starts looks through all installed packages for components of Streamlit's.

That takes longer than drawing a page, and what is installed stays as it is while tests run.
"""

from functools import cache

from streamlit.components.v2 import manifest_scanner

_scan = cache(manifest_scanner.scan_component_manifests)


def scan_once() -> None:
    """Have this process, and those forked from it, look once."""
    manifest_scanner.scan_component_manifests = _scan
    _scan()

"""What draws in a browser: JavaScript and CSS that know nothing of Streamlit, and maps as bytes for them.

The app hands the scripts to Streamlit's components; sites and snippets carry them as they are.
"""

from core.display.canvas.packing import payload
from core.display.canvas.scripts import ATTENTION_VIEW, FOLDER, classic, script, style

__all__ = ["ATTENTION_VIEW", "FOLDER", "classic", "payload", "script", "style"]

"""Headscript in the browser: `streamlit run app.py`."""

import streamlit as st

from core.ui.heads.passages import warm
from core.ui.parts import frame, help_panel, jobs, state
from core.ui.parts.reviewer import keep_in_address
from core.ui.parts.warming import warming
from core.ui.stage.view import draw_stage, is_asked

frame.configure()
if is_asked():
    st.navigation(frame.pages(), position="hidden")
    draw_stage()
    st.stop()
page = st.navigation(frame.pages())
frame.draw_sidebar()
help_panel.draw_help(state.chosen_model(), page.url_path)
jobs.draw_panel()
if (ahead := warming(warm)) is not None:
    ahead.note(state.chosen_model())
page.run()
keep_in_address()

"""Headscript in the browser: `streamlit run app.py`."""

import streamlit as st

from core.ui.parts import frame, jobs
from core.ui.parts.reviewer import keep_in_address
from core.ui.stage.view import draw_stage, is_asked

frame.configure()
if is_asked():
    st.navigation(frame.pages(), position="hidden")
    draw_stage()
    st.stop()
page = st.navigation(frame.pages())
frame.draw_sidebar()
jobs.draw_panel()
page.run()
keep_in_address()

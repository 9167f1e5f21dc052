"""Headscript in the browser: `streamlit run app.py`."""

import streamlit as st

from core.ui.parts import frame, jobs
from core.ui.parts.reviewer import keep_in_address

frame.configure()
page = st.navigation(frame.pages())
frame.draw_sidebar()
jobs.draw_panel()
page.run()
keep_in_address()

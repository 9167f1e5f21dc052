"""Headscript in the browser: `streamlit run app.py`."""

import streamlit as st

from core.ui import frame, jobs

frame.configure()
page = st.navigation(frame.pages())
frame.draw_sidebar()
jobs.draw_panel()
page.run()

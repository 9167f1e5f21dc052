"""Headscript in the browser: `streamlit run app.py`."""

import streamlit as st

from core.ui import frame

frame.configure()
page = st.navigation(frame.pages())
frame.draw_sidebar()
page.run()

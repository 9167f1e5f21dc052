"""Streamlit widgets that the pages share; with pages and app.py the only code that imports Streamlit."""

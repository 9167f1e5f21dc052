"""Streamlit: a folder a page, and the parts that pages share."""

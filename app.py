"""The page: `streamlit run app.py`. What each page shows is in `captioner.views`."""

from pathlib import Path

import streamlit as st

from captioner.views.navigation import pages

st.set_page_config("Triptych", Path(__file__).with_name("captioner") / "views" / "icon.svg", layout="wide")
st.navigation(pages(), position="top").run()

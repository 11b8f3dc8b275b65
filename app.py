"""The page: `streamlit run app.py`. What each page shows is in `captioner.views`."""

from pathlib import Path

import streamlit as st

from captioner.views import navigation, start

if __name__ == "__main__":  # one run of the page
    st.set_page_config("Triptych", Path(__file__).with_name("captioner") / "views" / "icon.svg", layout="wide")
    st.navigation(navigation.pages(), position="top").run()
else:  # `streamlit run` imports this file once, to find the server and what it does when it starts.
    app = st.App(__file__, lifespan=start.lifespan())

"""The page: `streamlit run app.py`. What each page shows is in `captioner.views`."""

from pathlib import Path

import streamlit as st

from captioner.views import caption, curves, scores, words, works

st.set_page_config("Triptych", Path(__file__).with_name("captioner") / "views" / "icon.svg", layout="wide")
st.navigation(
    [
        st.Page(caption.show, title="Caption", default=True),
        st.Page(caption.show, title="Caption", url_path="caption", visibility="hidden"),
        st.Page(curves.show, title="Curves", url_path="curves"),
        st.Page(words.show, title="Words", url_path="words"),
        st.Page(scores.show, title="Scores", url_path="scores"),
        st.Page(works.show, title="How it works", url_path="how-it-works"),
    ],
    position="top",
).run()

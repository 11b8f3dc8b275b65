"""What the app opens with: its pages, or, where a package that they need is missing, what to do about it."""

from functools import partial

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from captioner.views import ailments
from captioner.views.places import checkpoints_folder


def pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    try:
        from captioner.views import caption, curves, scores, server, words, works

        server.close()
    except ImportError:
        return [st.Page(partial(ailments.show, checkpoints_folder()), title="Triptych", url_path="start", default=True)]
    return [
        st.Page(caption.show, title="Caption", default=True),
        st.Page(caption.show, title="Caption", url_path="caption", visibility="hidden"),
        st.Page(curves.show, title="Curves", url_path="curves"),
        st.Page(words.show, title="Words", url_path="words"),
        st.Page(scores.show, title="Scores", url_path="scores"),
        st.Page(works.show, title="How it works", url_path="how-it-works"),
    ]

"""The app's pages; each is imported at its first visit, and says what to do if a package that it needs is missing."""

from collections.abc import Callable
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import StreamlitPage


def pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    return [
        st.Page(page("caption"), title="Caption", default=True),
        st.Page(page("caption"), title="Caption", url_path="caption", visibility="hidden"),
        st.Page(page("curves"), title="Curves", url_path="curves"),
        st.Page(page("words"), title="Words", url_path="words"),
        st.Page(page("scores"), title="Scores", url_path="scores"),
        st.Page(page("how_it_works"), title="How it works", url_path="how-it-works"),
    ]


def page(name: str) -> Callable[[], None]:
    """The page in the folder of this name."""

    def show() -> None:
        try:
            from captioner.views import server

            server.configure()
            server.schedule_cleanup()
            import_module(f"captioner.views.{name}.page").show()
        except ImportError:
            from captioner.views import startup_problems

            startup_problems.show()

    return show

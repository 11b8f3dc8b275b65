"""The app's pages, or, where a package that they need is missing, a page that says what to do about it."""

import functools
from collections.abc import Callable

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from captioner.views import startup_problems


def pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    try:
        from captioner.views import server
        from captioner.views.caption import page as caption
        from captioner.views.curves import page as curves
        from captioner.views.how_it_works import page as how_it_works
        from captioner.views.scores import page as scores
        from captioner.views.words import page as words
    except ImportError:
        return [st.Page(startup_problems.show, title="Triptych", url_path="start", default=True)]
    server.configure()
    server.schedule_cleanup()
    return [
        st.Page(guarded(caption.show), title="Caption", default=True),
        st.Page(guarded(caption.show), title="Caption", url_path="caption", visibility="hidden"),
        st.Page(guarded(curves.show), title="Curves", url_path="curves"),
        st.Page(guarded(words.show), title="Words", url_path="words"),
        st.Page(guarded(scores.show), title="Scores", url_path="scores"),
        st.Page(guarded(how_it_works.show), title="How it works", url_path="how-it-works"),
    ]


def guarded(show: Callable[[], None]) -> Callable[[], None]:
    """The page, which says what to do if a package is missing that it imports only when it needs it."""

    @functools.wraps(show)
    def page() -> None:
        try:
            show()
        except ImportError:
            startup_problems.show()

    return page

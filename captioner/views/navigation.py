"""The app's pages; each is imported at its first visit, and says what to do if a package that it needs is missing."""

import functools
from collections.abc import Callable

import streamlit as st
from streamlit.navigation.page import StreamlitPage


def pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    return [
        st.Page(show_caption, title="Caption", default=True),
        st.Page(show_caption, title="Caption", url_path="caption", visibility="hidden"),
        st.Page(show_curves, title="Curves", url_path="curves"),
        st.Page(show_words, title="Words", url_path="words"),
        st.Page(show_scores, title="Scores", url_path="scores"),
        st.Page(show_how_it_works, title="How it works", url_path="how-it-works"),
    ]


def _guarded(show: Callable[[], None]) -> Callable[[], None]:
    """The page, or what to do if a package that it needs is missing."""

    @functools.wraps(show)
    def page() -> None:
        try:
            from captioner.views import server

            server.configure()
            server.schedule_cleanup()
            show()
        except ImportError:
            from captioner.views import startup_problems

            startup_problems.show()

    return page


@_guarded
def show_caption() -> None:
    from captioner.views.caption import page

    page.show()


@_guarded
def show_curves() -> None:
    from captioner.views.curves import page

    page.show()


@_guarded
def show_words() -> None:
    from captioner.views.words import page

    page.show()


@_guarded
def show_scores() -> None:
    from captioner.views.scores import page

    page.show()


@_guarded
def show_how_it_works() -> None:
    from captioner.views.how_it_works import page

    page.show()

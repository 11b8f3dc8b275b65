"""What the app opens with: its pages, or, where a package that they need is missing, what to do about it."""

import functools
from collections.abc import Callable

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from captioner.views import startup_problems
from captioner.views.launch_options import checkpoints_folder


def pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    try:
        from captioner.views import server, tidying
        from captioner.views.caption import page as caption
        from captioner.views.curves import page as curves
        from captioner.views.how_it_works import page as works
        from captioner.views.scores import page as scores
        from captioner.views.words import page as words

        server.close()
        tidying.soon()
    except ImportError:
        return [st.Page(_ail, title="Triptych", url_path="start", default=True)]
    return [
        st.Page(_speaking(caption.show), title="Caption", default=True),
        st.Page(_speaking(caption.show), title="Caption", url_path="caption", visibility="hidden"),
        st.Page(_speaking(curves.show), title="Curves", url_path="curves"),
        st.Page(_speaking(words.show), title="Words", url_path="words"),
        st.Page(_speaking(scores.show), title="Scores", url_path="scores"),
        st.Page(_speaking(works.show), title="How it works", url_path="how-it-works"),
    ]


def _speaking(show: Callable[[], None]) -> Callable[[], None]:
    """The page, which says what to do where a package is missing that is imported only when it is needed."""

    @functools.wraps(show)
    def page() -> None:
        try:
            show()
        except ImportError:
            _ail()

    return page


def _ail() -> None:
    startup_problems.show(checkpoints_folder())

"""The page as an ASGI application, for a server that serves something else, too."""

from pathlib import Path

import streamlit as st

SCRIPT = Path(__file__).resolve().parents[2] / "app.py"


def page() -> st.App:
    """Its `lifespan()` has to be entered before it is asked for anything."""
    return st.App(SCRIPT)

"""The server's start and end: before any visit it prepares the first page in the background; at last it ends what runs.

Imports nothing large, so that the server answers meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st

SCRIPT = Path(__file__).resolve().parents[2] / "app.py"


def asgi_app() -> st.App:
    """The page for a server that serves something else, too. Enter its `lifespan()` first."""
    return st.App(SCRIPT, lifespan=lifespan)


@asynccontextmanager
async def lifespan(_server: st.App) -> AsyncIterator[None]:
    """Prepare when the server starts, and release what all visits shared, as the live training, when it ends."""
    # Streamlit would remark on every thread without a visitor.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    threading.Thread(target=_prepare, name="prepare", daemon=True).start()
    yield
    await asyncio.to_thread(st.cache_resource.clear)


def _prepare() -> None:
    with suppress(Exception):  # The first visit tries again, and shows what is wrong.
        from captioner.views.caption import page

        page.prepare()

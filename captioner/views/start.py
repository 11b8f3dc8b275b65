"""The server's start and end: before any visit it prepares the first page in the background; at last it ends what runs.

Imports nothing large, so that the server answers meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import manifest_scanner

from captioner.runtime import few_heaps

SCRIPT = Path(__file__).resolve().parents[2] / "app.py"


def asgi_app() -> st.App:
    """The page for a server that serves something else, too. Enter its `lifespan()` first."""
    return st.App(SCRIPT, lifespan=lifespan())


def lifespan() -> Callable[[st.App], AbstractAsyncContextManager[None]]:
    """Prepare when the server starts, and release what all visits shared, as the live training, when it ends."""
    few_heaps()
    # Streamlit would read the metadata of every installed package for components: a fifth of the server's start.
    manifest_scanner.scan_component_manifests = lambda: []
    # It would also remark on every thread without a visitor.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    return _prepared


@asynccontextmanager
async def _prepared(_server: st.App) -> AsyncIterator[None]:
    threading.Thread(target=_prepare, name="prepare", daemon=True).start()
    yield
    await asyncio.to_thread(st.cache_resource.clear)


def _prepare() -> None:
    with suppress(Exception):  # The first visit tries again, and shows what is wrong.
        st.empty()  # At the first element Streamlit looks how it was started, which takes the longer the more is imported.
        from captioner.views.caption import page

        page.prepare()

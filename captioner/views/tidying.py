"""Forgets visits that are over and gives their memory back; Streamlit forgets one only when another visit ends.

For two minutes after its connection broke a visit can be taken up again, as a phone does that was asleep; so long it is kept.
"""

import gc
import threading
import time
from contextlib import suppress

from streamlit import runtime
from streamlit.runtime import Runtime
from streamlit.runtime.session_manager import SessionStorage

from captioner.runtime import release_memory

_EVERY, _TIMES = 30, 6  # seconds, and how often after the last visitor did something: longer than a visit is kept
_used = threading.Event()
_starting = threading.Lock()
_tidier: threading.Thread | None = None


def soon() -> None:
    """Tidy up now and then, until well after nobody does anything any more. Safe to call at every run of the page."""
    global _tidier
    _used.set()
    with _starting:
        if runtime.exists() and _tidier is None:
            _tidier = threading.Thread(target=_tidy, args=(runtime.get_instance(),), name="tidy", daemon=True)
            _tidier.start()


def _tidy(server: Runtime) -> None:
    while True:
        _used.wait()
        _used.clear()
        for _ in range(_TIMES):
            time.sleep(_EVERY)
            with suppress(RuntimeError, AttributeError):  # The server has been stopped, or it is one that a test made up.
                # In its own loop, since it changes the same table there.
                server._get_async_objs().eventloop.call_soon_threadsafe(forget, server._session_mgr._session_storage)
            release_memory()


def forget(visits: SessionStorage) -> None:
    """End those that nobody can take up any more, with all that is kept of them."""
    over = visits._cache.expire()
    for _, visit in over:
        visit.session.shutdown()
    if over:
        del over, visit
        gc.collect()

"""Streamlit's server with its gaps closed: uploads, old visits, the network."""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import net_util, runtime
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.session_manager import SessionStorage
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileManager, UploadedFileRec

from captioner.data.images import MAXIMUM_BYTES
from captioner.runtime import release_memory

MOST_FILES, MOST_BYTES = 100, 200 << 20  # of one visit at a time; a page takes fifty at once, and lets go of them
_ROOM = 2 << 20  # what a form adds to its file, at most
_EVERY, _TIMES = 30, 6  # seconds between clean-ups, and how many follow the last use: a visit can be resumed for two minutes

_bounded: UploadedFileManager | None = None
_used, _starting = threading.Event(), threading.Lock()
_cleaner: threading.Thread | None = None


def configure() -> None:
    """Safe to call at every run of the page."""
    global _bounded
    # Larger uploads would go through a file on disk, which stays behind when the server is killed. The service takes more.
    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, MAXIMUM_BYTES + _ROOM)
    # Streamlit would ask a host in the internet for this server's address, to compare it with a request's origin.
    net_util.get_external_ip = lambda: None
    if runtime.exists() and runtime.get_instance().uploaded_file_mgr is not _bounded:
        _bounded = runtime.get_instance().uploaded_file_mgr
        _bounded.add_file = bounded(_bounded)


def bounded(manager: UploadedFileManager) -> Callable[[str, UploadedFileRec], None]:
    """The manager's `add_file` with a bound on what one visit may hold."""
    add = manager.add_file

    def add_file(session_id: str, file: UploadedFileRec) -> None:
        file = file._replace(name=file.name.replace("\0", ""))  # Streamlit would raise an error on the page.
        there = manager.file_storage.get(session_id, {})
        others = [len(other.data) for name, other in list(there.items()) if name != file.file_id]
        if len(others) >= MOST_FILES or sum(others) + len(file.data) > MOST_BYTES:
            raise HTTPException(413, f"A visit may hold {MOST_FILES} files and {MOST_BYTES >> 20} MB at a time.")
        add(session_id, file)

    return add_file


def remove_uploads(files: Sequence[UploadedFile]) -> None:
    """Remove files that the page has read; otherwise they stay until the visit ends, and count against its bound."""
    visit = get_script_run_ctx()
    for file in files if visit else ():
        visit.uploaded_file_mgr.remove_file(visit.session_id, file.file_id)


def schedule_cleanup() -> None:
    """End old visits and free their memory now and then, until some minutes after the last use.

    Streamlit itself ends one only when another visit ends. Safe to call at every run of the page.
    """
    global _cleaner
    _used.set()
    with _starting:
        if runtime.exists() and _cleaner is None:
            _cleaner = threading.Thread(target=_clean_up, args=(runtime.get_instance(),), name="clean-up", daemon=True)
            _cleaner.start()


def _clean_up(server: Runtime) -> None:
    while True:
        _used.wait()
        _used.clear()
        for _ in range(_TIMES):
            time.sleep(_EVERY)
            with suppress(RuntimeError, AttributeError):  # The server has been stopped, or is a stand-in of a test.
                # In the server's own loop, which changes the same table.
                server._get_async_objs().eventloop.call_soon_threadsafe(end_expired, server._session_mgr._session_storage)
            release_memory()


def end_expired(visits: SessionStorage) -> None:
    """End the visits that can no longer be resumed, and free everything that is kept for them."""
    over = visits._cache.expire()
    for _, visit in over:
        visit.session.shutdown()
    if over:
        del over, visit
        gc.collect()

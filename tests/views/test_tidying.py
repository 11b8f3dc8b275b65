"""What visits leave behind: forgotten once nobody can take them up again, by the server's own loop, and memory is given back."""

import asyncio
import threading
import time
from types import SimpleNamespace

from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo

from captioner.views import tidying


class Session:
    """As much of a session as its end needs."""

    def __init__(self, name):
        self.id, self.ended = name, []

    def shutdown(self):
        self.ended.append(threading.current_thread())


def kept(*names, seconds):
    storage, sessions = MemorySessionStorage(ttl_seconds=seconds), [Session(name) for name in names]
    for session in sessions:
        storage.save(SessionInfo(None, session))
    return storage, sessions


def test_a_visit_that_nobody_can_take_up_any_more_is_ended_once():
    storage, sessions = kept("one", "two", seconds=0.1)
    time.sleep(0.11)
    tidying.forget(storage)
    tidying.forget(storage)
    assert [len(session.ended) for session in sessions] == [1, 1] and not storage._cache._data


def test_a_visit_that_broke_off_just_now_is_kept():
    storage, (session,) = kept("one", seconds=60)
    tidying.forget(storage)
    assert not session.ended and storage.get("one").session is session


def test_it_is_done_in_the_servers_own_loop(monkeypatch):
    monkeypatch.setattr(tidying, "_EVERY", 0.01)
    monkeypatch.setattr(tidying, "_tidier", None)
    storage, (session,) = kept("one", seconds=0)

    async def serve():
        loop = asyncio.get_running_loop()
        server = SimpleNamespace(
            _get_async_objs=lambda: SimpleNamespace(eventloop=loop), _session_mgr=SimpleNamespace(_session_storage=storage)
        )
        monkeypatch.setattr(tidying, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: server))
        tidying.soon()
        tidying.soon()
        while not session.ended:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(serve(), 10))
    assert session.ended == [threading.current_thread()]


def test_the_server_that_is_installed_has_what_is_reached_for():
    """These are its insides, which another version may have elsewhere."""
    from streamlit.runtime import Runtime, RuntimeConfig
    from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

    made = RuntimeConfig("app.py", None, MemoryMediaFileStorage("/media"), MemoryUploadedFileManager("/upload"))
    before = Runtime._instance
    Runtime._instance = None
    try:
        server = Runtime(made)
        assert server._session_mgr._session_storage._cache.expire() == []

        async def loop_of():
            started = asyncio.create_task(server.start())
            await asyncio.sleep(0)
            found = server._get_async_objs().eventloop
            server.stop()
            await started
            return found is asyncio.get_running_loop()

        assert asyncio.run(loop_of())
    finally:
        Runtime._instance = before

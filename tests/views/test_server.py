"""The start of the page's server, and what it closes: files on disk, visits without end, and questions to the network."""

import asyncio
import importlib
import threading
import time
from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import net_util
from streamlit.components.v2 import manifest_scanner
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.app_discovery import discover_asgi_app

from captioner.data.images import MAXIMUM_BYTES
from captioner.errors import CheckpointError
from captioner.views import server, start
from captioner.views.caption import page
from support.app_driver import APP


def test_the_command_finds_the_server_in_the_script():
    assert discover_asgi_app(APP).import_string == "app:app"


@pytest.fixture
def served(monkeypatch):
    """Runs the server from its start to its end, with another preparation; returns whether that was done."""

    def serve(prepare):
        done = threading.Event()

        def prepare_and_say():
            try:
                prepare()
            finally:
                done.set()

        async def run():
            async with start.lifespan()(None):
                return await asyncio.to_thread(done.wait, 30)

        monkeypatch.setattr(page, "prepare", prepare_and_say)
        return asyncio.run(run())

    return serve


def test_the_first_page_is_prepared_when_the_server_starts_and_a_failure_is_left_to_the_first_visit(served):
    def fail():
        raise CheckpointError("damaged")

    assert served(fail)


def test_the_start_of_the_server_reads_nothing_of_other_packages(monkeypatch):
    importlib.reload(manifest_scanner)  # Another test may have started a server.
    asked = []
    monkeypatch.setattr("importlib.metadata.distributions", lambda: asked.append("all") or [])
    BidiComponentManager().discover_and_register_components(start_file_watching=False)
    assert asked == ["all"]
    start.lifespan()
    BidiComponentManager().discover_and_register_components(start_file_watching=False)
    assert asked == ["all"]


def test_what_visits_shared_is_released_when_the_server_ends(served):
    ended = []

    @st.cache_resource(on_release=ended.append)
    def shared():
        return "shared"

    assert served(shared) and ended == ["shared"]


def record(name, size):
    return UploadedFileRec(name, f"{name}.jpg", "image/jpeg", bytes(size))


@pytest.fixture
def manager():
    found = MemoryUploadedFileManager("/upload")
    found.add_file = server.bounded(found)
    return found


def test_a_visit_holds_so_many_files_and_another_as_many(manager):
    for number in range(server.MOST_FILES):
        manager.add_file("one", record(str(number), 10))
    with pytest.raises(HTTPException) as refused:
        manager.add_file("one", record("more", 10))
    assert refused.value.status_code == 413 and str(server.MOST_FILES) in refused.value.detail
    manager.add_file("one", record("3", 20))  # In the place of one that is there.
    manager.add_file("two", record("first", 10))
    manager.remove_file("one", "5")
    manager.add_file("one", record("more", 10))
    assert len(manager.file_storage["one"]) == server.MOST_FILES


def test_a_zero_byte_is_removed_from_a_name(manager):
    manager.add_file("one", record("a\0b", 10))
    assert [file.name for file in manager.file_storage["one"].values()] == ["ab.jpg"]


def test_a_visit_holds_so_many_bytes(manager):
    whole, rest = divmod(server.MOST_BYTES, MAXIMUM_BYTES)
    for number in range(whole):
        manager.add_file("one", record(str(number), MAXIMUM_BYTES))
    with pytest.raises(HTTPException):
        manager.add_file("one", record("more", rest + 1))
    manager.remove_session_files("one")
    manager.add_file("one", record("more", rest + 1))


def test_no_picture_goes_through_the_disk_and_no_page_is_asked(monkeypatch):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1)
    monkeypatch.setattr(net_util, "get_external_ip", lambda: "asked")
    server.configure()
    assert MultiPartParser.spool_max_size > MAXIMUM_BYTES and net_util.get_external_ip() is None


class Session:
    """As much of a session as its end needs."""

    def __init__(self, name):
        self.id, self.ended = name, []

    def shutdown(self):
        self.ended.append(threading.current_thread())


def visits(*names, seconds):
    storage, sessions = MemorySessionStorage(ttl_seconds=seconds), [Session(name) for name in names]
    for session in sessions:
        storage.save(SessionInfo(None, session))
    return storage, sessions


def test_a_visit_that_can_no_longer_be_resumed_is_ended_once():
    storage, sessions = visits("one", "two", seconds=0.1)
    time.sleep(0.11)
    server.end_expired(storage)
    server.end_expired(storage)
    assert [len(session.ended) for session in sessions] == [1, 1] and not storage._cache._data


def test_a_visit_that_broke_off_just_now_is_kept():
    storage, (session,) = visits("one", seconds=60)
    server.end_expired(storage)
    assert not session.ended and storage.get("one").session is session


def test_visits_are_ended_in_the_servers_own_loop(monkeypatch):
    monkeypatch.setattr(server, "_EVERY", 0.01)
    monkeypatch.setattr(server, "_cleaner", None)
    storage, (session,) = visits("one", seconds=0)

    async def serve():
        loop = asyncio.get_running_loop()
        running = SimpleNamespace(
            _get_async_objs=lambda: SimpleNamespace(eventloop=loop), _session_mgr=SimpleNamespace(_session_storage=storage)
        )
        monkeypatch.setattr(server, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: running))
        server.schedule_cleanup()
        server.schedule_cleanup()
        while not session.ended:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(serve(), 10))
    assert session.ended == [threading.current_thread()]


def test_the_installed_streamlit_has_the_private_parts_that_are_used():
    from streamlit.runtime import Runtime, RuntimeConfig
    from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

    made = RuntimeConfig("app.py", None, MemoryMediaFileStorage("/media"), MemoryUploadedFileManager("/upload"))
    before = Runtime._instance
    Runtime._instance = None
    try:
        running = Runtime(made)
        assert running._session_mgr._session_storage._cache.expire() == []

        async def loop_of():
            started = asyncio.create_task(running.start())
            await asyncio.sleep(0)
            found = running._get_async_objs().eventloop
            running.stop()
            await started
            return found is asyncio.get_running_loop()

        assert asyncio.run(loop_of())
    finally:
        Runtime._instance = before

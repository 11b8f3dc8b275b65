"""What the page closes in Streamlit's server: files on disk, visits without end, and questions to the network."""

import pytest
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import net_util
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from captioner.data.images import MAXIMUM_BYTES
from captioner.views import server


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


def test_a_name_that_the_page_cannot_have_is_made_one(manager):
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
    server.close()
    assert MultiPartParser.spool_max_size > MAXIMUM_BYTES and net_util.get_external_ip() is None

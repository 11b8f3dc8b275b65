"""What Streamlit's server leaves open and this page closes: uploads on disk or without end, memory that is kept, the network."""

from collections.abc import Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import net_util, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileManager, UploadedFileRec

from captioner.data.images import MAXIMUM_BYTES
from captioner.runtime import few_heaps

MOST_FILES, MOST_BYTES = 100, 200 << 20  # of one visit at a time; a page takes fifty at once, and lets go of them
_ROOM = 2 << 20  # what a form adds to its file, at most
_held: UploadedFileManager | None = None


def close() -> None:
    """Safe to call at every run of the page."""
    global _held
    few_heaps()
    # Larger uploads would go through a file on disk, which stays behind when the server is killed. The service takes more.
    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, MAXIMUM_BYTES + _ROOM)
    # To tell its own origin from others it would ask a page in the network, in everybody's time, whenever another one comes.
    net_util.get_external_ip = _unknown
    if runtime.exists() and runtime.get_instance().uploaded_file_mgr is not _held:
        _held = runtime.get_instance().uploaded_file_mgr
        _held.add_file = bounded(_held)


def bounded(manager: UploadedFileManager) -> Callable[[str, UploadedFileRec], None]:
    """Its `add_file`, that takes no more of one visit than a visit can use."""
    add = manager.add_file

    def add_file(session_id: str, file: UploadedFileRec) -> None:
        file = file._replace(name=file.name.replace("\0", ""))  # Streamlit would raise an error on the page.
        there = manager.file_storage.get(session_id, {})
        others = [len(other.data) for name, other in list(there.items()) if name != file.file_id]
        if len(others) >= MOST_FILES or sum(others) + len(file.data) > MOST_BYTES:
            raise HTTPException(413, f"A visit may hold {MOST_FILES} files and {MOST_BYTES >> 20} MB at a time.")
        add(session_id, file)

    return add_file


def let_go(files: Sequence[UploadedFile]) -> None:
    """Forget files that were taken over; without this they would be held until the visit ends, and count against it."""
    visit = get_script_run_ctx()
    for file in files if visit else ():
        visit.uploaded_file_mgr.remove_file(visit.session_id, file.file_id)


def _unknown() -> None:
    return None

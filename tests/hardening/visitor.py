"""A visitor of the page without a browser: speaks the app's own protocol over a socket, uploads, and reads what is shown.

Hundreds of uploads and dozens of visitors at once are more than one machine has browsers for.
"""

import html
import re
import time
import urllib.parse
import uuid
from contextlib import ExitStack, suppress

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from captioner.config import VARIANTS

_COOKIE, _PATIENCE, _TOO_LARGE = "_streamlit_xsrf", 300, 413
_LARGEST = 1 << 28


class Lost(Exception):
    """The app did not answer any more."""


class TooLarge(Lost):
    """The app did not take a file, by its size or because the visit holds too many."""


class Visitor:
    """One visit: the page as the server describes it, element by element."""

    def __init__(self, address: str, path: str = "", patience: float = _PATIENCE):
        self.patience = patience
        self._http, self._address = requests.Session(), address
        self._http.get(f"{address}/_stcore/health", timeout=patience)
        self._http.get(f"{address}/_stcore/host-config", timeout=patience)
        token = self._http.cookies.get(_COOKIE, "")
        socket = address.replace("http://", "ws://") + "/_stcore/stream"
        self._open = ExitStack()
        opening = connect(
            socket,
            subprotocols=["streamlit", token] if token else ["streamlit"],
            origin=address,
            additional_headers={"Cookie": f"{_COOKIE}={token}"} if token else {},
            max_size=_LARGEST,
            open_timeout=patience,
            ping_interval=None,
        )
        self._socket = self._open.enter_context(opening)
        self._elements: dict[tuple[int, ...], object] = {}
        self._states: dict[str, UploadedFileInfo] = {}
        self._page, self._uploaded = "", 0
        self.exceptions: list[str] = []
        self.run(path)

    def close(self) -> None:
        with suppress(ConnectionClosed):
            self._open.close()
        self._http.close()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def run(self, path: str = "") -> None:
        """Have the page made, and read it until the server says that it is done."""
        parts = urllib.parse.urlsplit(path)
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.page_name = parts.query, self._page, parts.path.strip("/")
        self._send(message)
        self._read_until_done()

    def upload(self, *files: tuple[str, bytes]) -> None:
        """Put files into the uploader, as a browser would, and read the page that comes of it."""
        uploader = self.one("file_uploader")
        urls = self._urls([name for name, _ in files])
        infos = []
        for (name, data), url in zip(files, urls, strict=True):
            token = self._http.cookies.get(_COOKIE, "")
            answer = self._http.put(
                self._address + url.upload_url,
                files={name.replace("\0", ""): (name, data, "image/jpeg")},
                # A server ends connections that have rested; a browser would notice, and send it again.
                headers={"X-Xsrftoken": token, "Connection": "close"},
                timeout=self.patience,
                stream=True,  # A server that refuses a file may hang up before it has said why.
            )
            answer.close()
            if answer.status_code == _TOO_LARGE:
                raise TooLarge(name)
            answer.raise_for_status()
            infos.append(UploadedFileInfo(name=name, size=len(data), file_id=url.file_id, file_urls=url))
        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash = self._page
        widget = state.widget_states.widgets.add()
        widget.id = uploader.id
        widget.file_uploader_state_value.uploaded_file_info.extend(infos)
        self._send(message)
        self._read_until_done()

    def one(self, kind: str) -> object:
        """The first element of a kind that is on the page."""
        found = [element for _, element in sorted(self._elements.items()) if element.WhichOneof("type") == kind]
        if not found:
            raise Lost(f"There is no {kind} on the page.")
        return getattr(found[0], kind)

    @property
    def pieces(self) -> list[str]:
        """Everything that stands on the page as HTML."""
        found = sorted(self._elements.items())
        return [element.html.body for _, element in found if element.WhichOneof("type") == "html"]

    @property
    def sentences(self) -> list[str]:
        """The captions on the three cards."""
        found = re.findall(r'<p class="sentence">(.*?)</p>', "\n".join(self.pieces))
        return [html.unescape(re.sub("<.*?>", "", one)) for one in found][: len(VARIANTS)]

    @property
    def refusals(self) -> list[str]:
        found = re.findall(r'<p class="refusal" role="alert">(.*?)</p>', "\n".join(self.pieces))
        return [html.unescape(re.sub("<.*?>", "", one)) for one in found]

    def _urls(self, names: list[str]) -> list:
        message = BackMsg()
        message.file_urls_request.request_id = uuid.uuid4().hex
        message.file_urls_request.file_names.extend(names)
        message.file_urls_request.session_id = self.session
        self._send(message)
        return list(self._read_until("file_urls_response").file_urls_response.file_urls)

    def _send(self, message: BackMsg) -> None:
        try:
            self._socket.send(message.SerializeToString())
        except ConnectionClosed as error:
            raise Lost("The app closed the connection.") from error

    def _read_until_done(self) -> None:
        self._elements = {}
        self._read_until("script_finished")

    def _read_until(self, kind: str) -> ForwardMsg:
        end = time.monotonic() + self.patience
        while True:
            try:
                data = self._socket.recv(timeout=max(0.0, end - time.monotonic()))
            except (TimeoutError, ConnectionClosed) as error:
                raise Lost(f"The app sent no {kind} ({type(error).__name__}).") from error
            message = ForwardMsg()
            message.ParseFromString(data)
            self._take(message)
            if message.WhichOneof("type") == kind and not self._goes_on(message):
                return message

    @staticmethod
    def _goes_on(message: ForwardMsg) -> bool:
        """A run that was ended by another one is not the end."""
        return message.WhichOneof("type") == "script_finished" and (
            message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
        )

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._elements = {}
            self._page = message.new_session.page_script_hash
            if message.new_session.initialize.session_id:
                self.session = message.new_session.initialize.session_id
        elif kind == "delta":
            path = tuple(message.metadata.delta_path)
            if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                self._elements[path] = element
                if element.WhichOneof("type") == "exception":
                    self.exceptions.append(element.exception.message)
            elif message.delta.WhichOneof("type") == "add_block":
                self._elements = {place: one for place, one in self._elements.items() if place[: len(path)] != path}

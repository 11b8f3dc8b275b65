"""The real app in a process of its own, and a real Chromium that reports every request and every error.

Without Chromium the tests in this folder are skipped; with TRIPTYCH_BROWSER=required they fail instead.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from captioner.views.resources import FOLDER_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240  # seconds; loading TensorFlow on a busy machine takes a while
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Opened by the address of a page, Streamlit first asks for its services under that address, then under the root.
PROBES = ("/_stcore/health", "/_stcore/host-config")


def need(present: object, what: str) -> None:
    """Skip, or fail where the browser tests are required, when something is missing."""
    if not present:
        (pytest.fail if os.environ.get("TRIPTYCH_BROWSER") == "required" else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="session")
def executable() -> str:
    """Where the system's own browser is."""
    need(importlib.util.find_spec("playwright"), "The package playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    need(found, "Chromium")
    return found


@pytest.fixture(scope="module")
def chromium(executable) -> Iterator:
    """A browser for the tests of a file; it is closed after them, because its event loop would be in the way of other tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(executable, tiny_run, tmp_path_factory) -> Iterator[str]:
    """Where the app answers: started as its users start it, with the small decoders of the tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    with log.open("wb") as output:
        environment = os.environ | {FOLDER_VARIABLE: str(tiny_run)}
        app = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}", app, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        app.terminate()
        app.wait(30)
    assert "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")


def _wait_for(address: str, app: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and app.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"The app did not start:\n{log.read_text(errors='replace')}")


class Visit:
    """A page in the browser that keeps what must not happen: requests to elsewhere, errors in the console, refused answers."""

    def __init__(self, page, address: str):
        self.page, self.address = page, address
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.context.on("request", lambda request: self._note_request(request.url))
        page.on("websocket", lambda socket: self._note_request(socket.url))
        page.on("response", self._note_response)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note_console)

    def open(self, path: str = "") -> "Visit":
        self.page.goto(f"{self.address}/{path}")
        return self

    def _note_request(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1":
            self.outside.append(url)

    def _note_response(self, response) -> None:
        if response.status >= 400 and not urlsplit(response.url).path.endswith(PROBES):
            self.errors.append(f"{response.status} {response.url}")

    def _note_console(self, message) -> None:
        # What failed to load is told with its address by its response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)


@pytest.fixture(params=[{}], ids=[""])
def visit(chromium, address, request) -> Iterator[Visit]:
    """A visitor with a fresh browser profile; whatever a test looks at, nothing may have left this machine or failed."""
    context = chromium.new_context(**request.param)
    found = Visit(context.new_page(), address)
    yield found
    context.close()
    assert not found.outside, f"the page asked elsewhere: {found.outside}"
    assert not found.errors, f"the browser reports errors: {found.errors}"

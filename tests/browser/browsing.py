"""The real app in its own process, a real Chromium, and what a visitor does there; measurements and screenshots use it too."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # For the scripts here; under pytest it is there already.

from captioner.config import VARIANTS  # noqa: E402
from captioner.data.samples import SAMPLES  # noqa: E402
from captioner.views.launch_options import FOLDER_VARIABLE  # noqa: E402

PATIENCE, WAITING = 240, 60  # seconds, on a busy machine
CARDS = ".sentence"
CHART = "[data-testid=stVegaLiteChart] .marks"
PAGES = {  # By address: what is there when the page is.
    "caption": ".st-key-at button",
    "curves": CHART,
    "words": ".st-key-near-fasttext",
    "scores": ".verdict",
    "how-it-works": ".station",
}
WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # A document that a test laid a header on counts as one from far away.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# Opened by the address of a page, Streamlit first asks for its services under that address, then under the root.
PROBES = ("/_stcore/health", "/_stcore/host-config")
# The run has ended, nothing of an earlier one is left, every chart is drawn and every picture is there.
# A chart in an expander that is closed may be drawn only when that is opened.
_QUIET = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')
    && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
        .every(chart => chart.querySelector('.marks') || !chart.checkVisibility())
    && [...document.images].every(image => image.complete)"""


class NotThere(Exception):
    """The app did not start."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class App:
    """The app as its users start it, on a port that was free, with the decoders of a folder or else those that ship."""

    def __init__(self, log: Path, checkpoints: Path | None = None):
        port = free_port()
        self.address, self._log = f"http://127.0.0.1:{port}", log
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
        command += ["--server.address=127.0.0.1", f"--server.port={port}"]
        environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
        if checkpoints:
            environment[FOLDER_VARIABLE] = str(checkpoints)
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)

    @property
    def process(self) -> int:
        """Its number in the system."""
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait(self) -> None:
        """Until it answers; the decoders may still be loading."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise NotThere(f"The app did not start:\n{self.log}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@contextmanager
def started(checkpoints: Path | None = None) -> Iterator[App]:
    """The app, answering, for as long as it is needed; an error that it logged is raised at the end."""
    with TemporaryDirectory() as folder:
        app = App(Path(folder) / "log.txt", checkpoints)
        try:
            app.wait()
            yield app
        finally:
            app.stop()
        if "Traceback" in app.log:
            raise RuntimeError(app.log)


def find_chromium() -> str | None:
    """The system's own browser."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def need_chromium() -> str:
    """The same, for a program that ends without it."""
    return find_chromium() or sys.exit("Chromium is not installed; install it (Debian's package: chromium) and try again.")


@contextmanager
def browser(executable: str) -> Iterator:
    """A Chromium; its event loop would be in the way of other tests, so it is closed when it is not needed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


class Visit:
    """A page in the browser that keeps what must not happen: requests to elsewhere, errors in the console, refused answers."""

    def __init__(self, page, address: str):
        self.page, self.address = page, address
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(WAITING * 1000)
        page.context.on("request", lambda request: self._note_request(request.url))
        page.on("websocket", lambda socket: self._note_request(socket.url))
        page.on("response", self._note_response)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note_console)

    def open(self, path: str = "") -> "Visit":
        self.page.goto(f"{self.address}/{path}")
        return self

    def read(self, path: str) -> "Visit":
        """Open a page by its address and wait until all of it is there."""
        self.open(path)
        self.page.locator(PAGES[urlsplit(path).path or "caption"]).last.wait_for()
        quiet(self.page)
        return self

    def problems(self) -> list[str]:
        return [f"asked elsewhere: {url}" for url in self.outside] + self.errors

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


@contextmanager
def visiting(chromium, address: str, **profile) -> Iterator[Visit]:
    """A visit with a fresh browser profile; nothing may have asked elsewhere or failed when it ends."""
    context = chromium.new_context(**profile)
    visit = Visit(context.new_page(), address)
    yield visit
    context.close()
    assert not visit.problems()


def quiet(page) -> None:
    """Wait until nothing on the page is about to change; after a click, wait for what it brings first."""
    page.wait_for_function(_QUIET)


def violations(page) -> list[str]:
    """What axe-core finds serious or critical on the page as it stands."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def photograph(tint: str, size: tuple[int, int] = (640, 480), **saved) -> bytes:
    """A grey slope under a colour, as a JPEG."""
    grey = Image.linear_gradient("L").resize(size).convert("RGB")
    file = BytesIO()
    Image.blend(grey, Image.new("RGB", grey.size, tint), 0.5).save(file, "JPEG", **saved)
    return file.getvalue()


def upload(page, *files: tuple[str, bytes]) -> None:
    chosen = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in files]
    page.locator("input[type=file]").set_input_files(chosen)


def wait_for_captions(page, description: str = SAMPLES[0].description) -> list[str]:
    """The three sentences under the photograph with this description."""
    page.locator(f'.st-key-photograph img[alt="{description}"]').wait_for()
    page.wait_for_function("document.querySelectorAll('[data-stale=true]').length === 0")
    sentences = page.locator(f"[class*=st-key-card-] {CARDS}")
    sentences.nth(len(VARIANTS) - 1).wait_for()
    return sentences.all_inner_texts()


def caption_upload(page, name: str, data: bytes) -> list[str]:
    """Upload one photograph and wait for its three captions."""
    upload(page, (name, data))
    return wait_for_captions(page, f"Your photograph {name}.")


def scrolls_sideways(page) -> bool:
    main = page.locator("[data-testid=stMain]")
    return main.evaluate("main => Math.max(main.scrollWidth, document.documentElement.scrollWidth) > window.innerWidth")


def chosen(page, key: str) -> str:
    """The chosen one of the buttons under a key."""
    return page.locator(f".st-key-{key} [role=radio][aria-checked=true]").inner_text()

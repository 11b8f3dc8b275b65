"""The page behind the web server that SECURITY.md advises, with exactly its settings; skipped where nginx is not installed."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
import urllib3

from browsing import PAGES, ROOT, browser, caption_upload, free_port, photograph, started, visiting

ADVICE = re.search(r"```nginx\n(.*?)```", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.DOTALL)[1]
NAME, CLASS, PASSWORD = "captions.example.org", "class", "open-sesame"
_TOOLS = ("nginx", "openssl")


@pytest.fixture(scope="module")
def behind(tmp_path_factory, tiny_run, executable) -> Iterator[str]:
    """Where the web server answers, with the app behind it."""
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing:
        pytest.skip(f"{missing[0]} is not installed; with it this holds the settings that SECURITY.md advises.")
    folder = tmp_path_factory.mktemp("proxy")
    _make_papers(folder)
    with started(tiny_run) as app:
        port = free_port()
        (folder / "nginx.conf").write_text(_settings(folder, port, app.address))
        start = ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        checked = subprocess.run([*start, "-t"], capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stderr
        server = subprocess.Popen([*start, "-g", "daemon off;"])
        try:
            _wait_for(port)
            yield f"https://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def _make_papers(folder) -> None:
    """A certificate of our own, and the file of passwords."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-keyout", folder / "captions.key", "-out", folder / "captions.pem"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True, timeout=60)
    (folder / "triptych.htpasswd").write_text(f"{CLASS}:{hashed.stdout.strip()}\n")


def _settings(folder, port: int, app: str) -> str:
    """What SECURITY.md says, word for word but for places, the port, and the name that this machine has for itself."""
    changed = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/": f"{folder}/",
        "/etc/nginx/": f"{folder}/",
        "http://127.0.0.1:8501": app,
        "https://captions\\.example\\.org": f"https://127\\.0\\.0\\.1:{port}",
    }
    advice = ADVICE
    for ours, here in changed.items():
        assert ours in advice, f"SECURITY.md no longer says {ours}"
        advice = advice.replace(ours, here)
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    # Started by an administrator its workers would be somebody else, who may not look into this folder.
    owner = "user root;\n" if os.geteuid() == 0 else ""
    return f"{owner}pid {folder}/nginx.pid;\nevents {{ }}\nhttp {{\naccess_log off;\n{places}{advice}\n}}\n"


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("The web server did not start.")


@pytest.fixture
def ask(behind):
    """Asks the web server, whose certificate nobody else has signed."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def answer(path: str, password: str | None = PASSWORD, **more) -> requests.Response:
        auth = (CLASS, password) if password else None
        return requests.get(f"{behind}/{path}", auth=auth, verify=False, timeout=30, **more)

    return answer


def test_nobody_comes_in_without_the_password(ask):
    assert [ask("", password).status_code for password in (None, "guessed", PASSWORD)] == [401, 401, 200]


@pytest.mark.parametrize("path", ["_stcore/health", "_stcore/stream", "media/a.jpg", "static/a.js"])
def test_no_other_address_is_open(ask, path):
    assert ask(path, None).status_code == 401


def test_sizes_of_caches_are_told_to_nobody(ask):
    assert ask("_stcore/metrics").status_code == 403


def test_a_page_elsewhere_gets_no_answer(ask, behind):
    assert ask("", headers={"Origin": "https://elsewhere.example"}).status_code == 403
    assert ask("", headers={"Origin": behind}).status_code == 200


def test_every_page_carries_the_policy(ask):
    headers = ask("").headers
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"


def test_a_class_works_behind_it(behind, executable):
    """Every page is read, and a photograph captioned, over TLS and with the password."""
    allowed = {"http_credentials": {"username": CLASS, "password": PASSWORD}, "ignore_https_errors": True}
    with browser(executable) as chromium, visiting(chromium, behind, **allowed) as visit:
        for path in PAGES:
            visit.read(path)
        caption_upload(visit.open().page, "mine.jpg", photograph("teal"))

"""The service and the page by one command, in one process, on one port."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from serving import files, photograph

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "hardening"))


@pytest.fixture(scope="module")
def address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "captioner", "serve", "--page", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert '"stopped"' in process.stderr.read()
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process, address):
    end = time.monotonic() + 180
    while process.poll() is None and time.monotonic() < end:
        try:
            if requests.get(f"{address}/ready", timeout=30).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    raise AssertionError("It did not become ready.")


def test_each_has_its_addresses(address):
    assert requests.get(address + "/health", timeout=30).json() == {"alive": True}
    assert requests.delete(address + "/v1/captions", timeout=30).json()["type"] == "urn:triptych:problem:wrong-method"
    assert requests.get(address + "/v1/nothing", timeout=30).status_code == 404
    assert "Streamlit" in requests.get(address, timeout=30).text and requests.get(address + "/_stcore/health", timeout=30).ok
    docs = requests.get(address + "/docs", timeout=30).text
    links = [part.split('"')[0] for part in docs.split('="')[1:] if part.startswith("/")]
    assert links and all(requests.get(address + link, timeout=30).headers["content-type"][:9] != "text/html" for link in links)


def test_both_caption_the_same_photograph_alike(address):
    from visitor import Visitor

    data = photograph(3, "JPEG")
    (told,) = requests.post(address + "/v1/captions", files=files(data), timeout=60).json()
    with Visitor(address) as visitor:
        visitor.upload(("photograph.jpg", data))
        assert visitor.exceptions == [] and visitor.refusals == []
        assert visitor.sentences == [best[0]["text"] for best in told["captions"].values()]

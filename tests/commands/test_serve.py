"""`serve` as a command: where it listens, its keys, its log, and how it ends."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hardening.service import HEADERS, Photographs, started

from captioner.__main__ import ERROR, main
from captioner.commands import serve
from captioner.errors import ConfigError
from support.serving import wait

ROOT = Path(__file__).resolve().parents[2]
HOST, PATIENCE = "127.0.0.1", 180
BROKEN = """
import sys
from captioner.__main__ import main
from captioner.service.engine import Engine
def broken(*_):
    raise RuntimeError("There is no memory left.")
Engine.load = broken
sys.exit(main(["serve", "--port", "0"]))
"""


def lines(log):
    """Those after the sentence with which it starts; each must be JSON."""
    return [json.loads(line) for line in log.splitlines()[1:]]


def test_it_says_where_it_really_listens():
    with serve._listening(HOST, 0) as listener:
        port = listener.getsockname()[1]
        assert port and serve._address(listener) == f"http://{HOST}:{port}"


def test_a_port_that_is_taken_is_told_in_a_sentence(capsys):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == ERROR
    said = capsys.readouterr().err
    assert "Cannot listen" in said and str(port) in said and "Serving" not in said


def test_keys_are_read_and_short_ones_refused(monkeypatch):
    monkeypatch.delenv(serve.KEYS_VARIABLE, raising=False)
    assert serve.api_keys() == []
    monkeypatch.setenv(serve.KEYS_VARIABLE, f" {'a' * 16},, {'b' * 20} ,")
    assert serve.api_keys() == ["a" * 16, "b" * 20]
    monkeypatch.setenv(serve.KEYS_VARIABLE, " ")
    assert serve.api_keys() == []
    monkeypatch.setenv(serve.KEYS_VARIABLE, " , ")
    with pytest.raises(ConfigError, match="There is no key in"):
        serve.api_keys()
    monkeypatch.setenv(serve.KEYS_VARIABLE, f"{'a' * 16},short")
    with pytest.raises(ConfigError, match="fewer than 16") as refused:
        serve.api_keys()
    assert "short" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.process
def test_what_cannot_load_its_decoders_ends():
    done = subprocess.run([sys.executable, "-c", BROKEN], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    told = lines(done.stderr)
    assert done.returncode == ERROR and [line["event"] for line in told] == ["error", "stopped"]
    assert "no memory left" in told[0]["error"]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_told_to_end_it_answers_what_was_begun_and_all_of_its_log_is_json(ending, status, tmp_path):
    (body,) = Photographs(1).bodies
    with open(tmp_path / "log", "wb") as log, started(log) as (port, process):
        _speak_no_http(port)
        connection = _begin(port, body)
        process.send_signal(ending)
        wait(lambda: _is_closed(port))
        connection.send(body[100:])
        answer = connection.getresponse()
        assert answer.status == 200 and len(json.loads(answer.read())[0]["captions"]) == 3
        assert process.wait(PATIENCE) == status
    told = lines((tmp_path / "log").read_text())
    assert told[-1]["event"] == "stopped" and told[-2]["status"] == 200
    assert [line["told"] for line in told if line.get("by") == "uvicorn.error"] == ["Invalid HTTP request received."]


def _speak_no_http(port):
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(b"This is something else.\r\n\r\n")
        assert connection.recv(1000)


def _begin(port, body):
    """A request of which the first hundred bytes have been sent."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    connection.putrequest("POST", "/v1/captions")
    connection.putheader("Content-Type", HEADERS["Content-Type"])
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:100])
    return connection


def _is_closed(port):
    try:
        socket.create_connection((HOST, port)).close()
    except OSError:
        return True
    return False

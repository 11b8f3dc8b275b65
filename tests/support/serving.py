"""A service on a port of its own for tests, how to ask it, and photographs to send."""

import io
import json
import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
import requests
import uvicorn
from PIL import Image

from captioner.service.app import create_app
from captioner.service.journal import Journal


def photograph(seed=0, kind="PNG"):
    file = io.BytesIO()
    cells = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(cells).resize((150, 120)).save(file, kind)
    return file.getvalue()


def files(*data):
    return [("files", (f"{number}.png", one, "image/png")) for number, one in enumerate(data)]


class Served:
    """A running service: where it is, its log, and how to ask it."""

    def __init__(self, app, log):
        self.app, self.log = app, log
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=30))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def get(self, path, **more):
        return requests.get(self.address + path, timeout=60, **more)

    def post(self, *data, **more):
        return requests.post(self.address + "/v1/captions", timeout=60, files=files(*data), **more)

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def serving(load, **more):
    log = io.StringIO()
    served = Served(create_app(load, journal=Journal(log), **more), log)
    served.thread.start()
    while not served.server.started:
        time.sleep(0.01)
    try:
        yield served
    finally:
        served.server.should_exit = True
        served.thread.join(60)
        assert not served.thread.is_alive()


@contextmanager
def ready(load, **more):
    with serving(load, **more) as served:
        wait(lambda: served.get("/ready").ok)
        yield served


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

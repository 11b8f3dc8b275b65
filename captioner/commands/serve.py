"""`serve`: the decoders over HTTP, and with `--page` the page in the same process."""

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from captioner.commands import arguments, choices
from captioner.commands.report import note
from captioner.errors import ConfigError
from captioner.runtime import few_heaps

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from captioner.service.engine import Engine
    from captioner.service.journal import Journal

KEYS_VARIABLE = "TRIPTYCH_API_KEYS"
_SHORTEST_KEY, _GRACE = 16, 60
_NOT_LOADED = 2
SUMMARY = "caption pictures over HTTP, for programs"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    description = (
        f"Caption pictures over HTTP; /docs describes the API. If the environment variable {KEYS_VARIABLE} holds keys, "
        "separated by commas, each request must send one of them."
    )
    interrupted = "Stopped."
    host: str = arguments.option("address to listen on (default: 127.0.0.1, this machine only)", "ADDRESS", default="127.0.0.1")
    port: int = arguments.option("port to listen on (default: 8000)", "N", type=arguments.number(int, 0, 65535), default=8000)
    page: bool = arguments.switch("also serve the page at /, in the same process")


def run(options: Request) -> int:
    from captioner.model.checkpoints import load_all

    keys, folder = api_keys(), choices.decoders(options)
    with _listening(options.host, options.port) as listener, open(os.dup(2), "w", encoding="utf-8") as log:
        load_all(folder)  # Report damaged decoders now, not to the first client.
        few_heaps()
        access = f"{len(keys)} API key{'s' * (len(keys) > 1)}" if keys else "no API key needed"
        note(f"Serving at {_address(listener)} ({access}). The API is described at /docs. Stop with Ctrl C.")
        return _serve(options, folder, keys, listener, log)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise ConfigError(f"Cannot listen at {host}, port {port} ({reason}); give another --port or --host.") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(options: Request, folder: Path, keys: list[str], listener: socket.socket, log: TextIO) -> int:
    """Serve until the process is stopped. The log is not `sys.stderr`, which is redirected while LiteRT starts."""
    import uvicorn

    from captioner.service.journal import Journal, LibraryMessages

    journal, status = Journal(log), 0
    logging.getLogger().addHandler(LibraryMessages(journal))
    logging.captureWarnings(True)

    def give_up() -> None:
        nonlocal status
        status, server.should_exit = _NOT_LOADED, True

    app = _application(options, folder, keys, journal, give_up)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE)
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return status


def _application(options: Request, folder: Path, keys: list[str], journal: "Journal", give_up: Callable[[], None]) -> "ASGIApp":
    from captioner.service.app import create_app
    from captioner.service.engine import Engine

    if not options.page:
        return create_app(lambda: Engine.load(folder, options.encoder_weights), keys, journal, give_up)
    from captioner.service.mount_page import ServiceWithPage
    from captioner.views import start
    from captioner.views.launch_options import LaunchOptions, launch_with

    launch_with(LaunchOptions(options.checkpoints, options.stage, encoder_weights=options.encoder_weights))
    page = start.asgi_app()
    return ServiceWithPage(create_app(lambda: _engine_of_the_page(folder), keys, journal, give_up, page.lifespan()), page)


def api_keys() -> list[str]:
    """The keys in the environment, separated by commas; refuse short ones and a value without any key."""
    given = os.environ.get(KEYS_VARIABLE, "").strip()
    keys = [key.strip() for key in given.split(",") if key.strip()]
    if given and not keys:
        raise ConfigError(f"There is no key in {KEYS_VARIABLE}, only commas; give one, or leave the variable empty.")
    if any(len(key) < _SHORTEST_KEY for key in keys):
        raise ConfigError(f"A key in {KEYS_VARIABLE} has fewer than {_SHORTEST_KEY} characters; make it longer.")
    return keys


def _engine_of_the_page(folder: Path) -> "Engine":
    """The decoders and the queue of the page, so that the process holds both once."""
    from captioner.captioning.search_settings import load_search_config
    from captioner.service.engine import Engine
    from captioner.views.resources import load_engine

    shared = load_engine(folder)
    return Engine(shared.captioner, load_search_config(folder), shared.queue).warmed_up()

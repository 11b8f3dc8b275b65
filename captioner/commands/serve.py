"""`serve`: the decoders over HTTP, for programs."""

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import choices
from captioner.commands.report import note
from captioner.errors import ConfigError
from captioner.runtime import few_heaps

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from captioner.service.engine import Engine, Timed

KEYS_VARIABLE = "TRIPTYCH_API_KEYS"
_SHORTEST_KEY, _GRACE = 16, 60


def run(options: Namespace) -> int:
    from captioner.checkpoints import load_all

    keys, folder = api_keys(), choices.decoders(options)
    load_all(folder)  # What is wrong with them is told now, not to the first who asks.
    import uvicorn

    few_heaps()
    app = _application(folder, keys, options.page)
    who = f"{len(keys)} API keys" if keys else "nobody is asked for a key"
    note(f"http://{options.host}:{options.port} answers, {who}; its addresses are described at /docs. End it with Ctrl C.")
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    return 0


def _application(folder: Path, keys: list[str], with_page: bool) -> "ASGIApp":
    from captioner.service.app import create_app

    def load(timed: "Timed") -> "Engine":
        return _engine(folder, timed)

    if not with_page:
        return create_app(load, keys)
    from captioner.service.beside import Beside
    from captioner.views.asgi import page

    beside = page()
    return Beside(create_app(load, keys, along=beside.lifespan()), beside)


def api_keys() -> list[str]:
    """The keys in the environment, separated by commas; a short one would soon be guessed."""
    keys = [key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",") if key.strip()]
    if any(len(key) < _SHORTEST_KEY for key in keys):
        raise ConfigError(f"A key in {KEYS_VARIABLE} has fewer than {_SHORTEST_KEY} characters; make it longer.")
    return keys


def _engine(folder: Path, timed: "Timed") -> "Engine":
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.service.engine import Engine

    return Engine.load(folder, timed=timed)

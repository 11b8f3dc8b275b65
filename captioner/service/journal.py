"""The service's log: a line of JSON for every request, with the hash of each file and never the picture."""

import hashlib
import json
import logging
import sys
import threading
import time
from typing import Any, TextIO


class Journal:
    def __init__(self, stream: TextIO | None = None):
        self._stream, self._writing = stream, threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **facts}
        with self._writing:
            stream = self._stream or sys.stderr
            stream.write(json.dumps(line) + "\n")
            stream.flush()


class Others(logging.Handler):
    """What the libraries have to say becomes lines of the same log."""

    def __init__(self, journal: Journal):
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.write(record.levelname.lower(), by=record.name, told=self.format(record))


def mark(data: bytes) -> dict[str, Any]:
    """What the log says of a file."""
    return {"sha256": hashlib.sha256(data).hexdigest()[:16], "bytes": len(data)}

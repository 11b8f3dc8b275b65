"""What the service records: a log with a line of JSON per request, and counts for Prometheus. Neither holds a photograph."""

import hashlib
import json
import logging
import sys
import threading
import time
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Journal:
    """The log; safe to share between threads."""

    def __init__(self, stream: TextIO | None = None):
        self._stream, self._writing = stream, threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **facts}
        with self._writing:
            stream = self._stream or sys.stderr
            stream.write(json.dumps(line) + "\n")
            stream.flush()


class LibraryMessages(logging.Handler):
    """Writes the messages of libraries to the same log."""

    def __init__(self, journal: Journal):
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.write(record.levelname.lower(), by=record.name, told=self.format(record))


def file_facts(data: bytes) -> dict[str, Any]:
    """How the log identifies a file."""
    return {"sha256": hashlib.sha256(data).hexdigest()[:16], "bytes": len(data)}


class Measures:
    """The counts, in a registry of their own, so that two services in a process do not mix."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        timed, by_request = {"registry": own, "buckets": _BUCKETS}, ["path", "status"]
        self.requests = Counter("triptych_requests", "Requests answered, by address and status", by_request, registry=own)
        self.failures = Counter("triptych_failures", "Requests that failed, by kind of problem", ["kind"], registry=own)
        self.photographs = Counter("triptych_photographs", "Photographs captioned, by decoder", ["variant"], registry=own)
        self.refused = Counter("triptych_refused_files", "Files that were no picture that can be read", registry=own)
        parts = "Seconds a photograph takes to decode, encode and search"
        self.parts = Histogram("triptych_part_seconds", parts, ["part"], **timed)
        self.seconds = Histogram("triptych_request_seconds", "Seconds from a request to its answer", ["path"], **timed)
        self.waiting = Gauge("triptych_waiting_photographs", "Photographs that wait for the decoders", registry=own)

    def timed(self, part: str, seconds: float) -> None:
        self.parts.labels(part).observe(seconds)

    def page(self) -> tuple[bytes, str]:
        """Everything in the format that Prometheus reads, and the format's media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

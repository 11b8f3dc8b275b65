"""What the service counts for Prometheus; one registry of its own, so that two services in a process do not mix."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Measures:
    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "triptych_requests", "Requests answered, by address and status", ["path", "status"], registry=registry
        )
        self.failures = Counter("triptych_failures", "Requests that failed, by kind of problem", ["kind"], registry=registry)
        self.photographs = Counter("triptych_photographs", "Photographs captioned, by decoder", ["variant"], registry=registry)
        self.refused = Counter("triptych_refused_files", "Files that were no picture that can be read", registry=registry)
        self.parts = Histogram(
            "triptych_part_seconds", "Seconds a photograph takes to decode, encode and search", ["part"],
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "triptych_request_seconds", "Seconds from a request to its answer", ["path"], buckets=BUCKETS, registry=registry
        )
        self.waiting = Gauge("triptych_waiting_photographs", "Photographs that wait for the decoders", registry=registry)

    def timed(self, part: str, seconds: float) -> None:
        self.parts.labels(part).observe(seconds)

    def page(self) -> tuple[bytes, str]:
        """Everything, in the form that Prometheus reads, and the name of that form."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

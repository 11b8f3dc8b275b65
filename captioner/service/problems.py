"""Errors in the form of RFC 9457: one form for all, and a `type` by which a program can distinguish them."""

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One kind of error: its name (the end of its `type`), its HTTP status and its title, which the OpenAPI document shows."""

    name: str
    status: int
    title: str


NOT_A_PICTURE = Kind("not-a-picture", 422, "None of the files is a picture that can be read")
BAD_REQUEST = Kind("bad-request", 422, "The request is not one that this service understands")
NO_FORM = Kind("no-form", 415, "Photographs are sent as a form")
NOT_FOUND = Kind("not-found", 404, "There is nothing at this address")
WRONG_METHOD = Kind("wrong-method", 405, "This address takes other methods")
TOO_LARGE = Kind("too-large", 413, "The request is larger than this service takes")
NO_KEY = Kind("no-key", 401, "An API key is needed")
BUSY = Kind("busy", 503, "Too many photographs are waiting")
STARTING = Kind("starting", 503, "The decoders are still being loaded")
TOO_SLOW = Kind("too-slow", 504, "The captions were not ready in time")
BROKEN = Kind("broken", 500, "Something went wrong in the service itself")


@dataclass
class Problem(Exception):
    """Raised anywhere in the service and answered as JSON."""

    kind: Kind
    detail: str
    more: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self, request_id: str) -> JSONResponse:
        body = {
            "type": f"urn:triptych:problem:{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": f"urn:triptych:request:{request_id}",
            **self.more,
        }
        return JSONResponse(body, self.kind.status, self.headers, MEDIA_TYPE)

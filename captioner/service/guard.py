"""Middleware for every request: its number, the check of its key and size, the form of errors, and its line in the log."""

import hmac
import time
import traceback
import uuid
from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captioner.service.journal import Journal, Measures
from captioner.service.problems import BROKEN, NO_KEY, TOO_LARGE, Problem

MOST_BYTES = 64 << 20
KEPT_BEHIND_KEYS = "/v1/"
PATHS = ("/v1/captions", "/v1/variants", "/health", "/ready", "/metrics", "/docs", "/openapi.json")
REQUEST_ID = "triptych_request"
_GONE = 499  # as other servers log a client that hung up before the answer


class Guard:
    """An ASGI middleware around the whole service."""

    def __init__(self, app: ASGIApp, measures: Measures, journal: Journal, keys: Sequence[str] = ()):
        self._app, self._measures, self._journal = app, measures, journal
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID], start, status = uuid.uuid4().hex, time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", scope[REQUEST_ID].encode())]
            await send(message)

        try:
            problem = self._refusal(scope)
            if problem:
                await self._answer(problem, scope, receive, answer)
            else:
                await self._app(scope, _bounded(receive), answer)
        except ClientDisconnect:
            status = _GONE
        except Exception as error:
            if status:
                raise  # Half of an answer has been sent; the server closes the connection.
            problem = error if isinstance(error, Problem) else _broken(error, self._journal, scope[REQUEST_ID])
            await self._answer(problem, scope, receive, answer)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            seconds = time.perf_counter() - start
            self._measures.requests.labels(path, str(status)).inc()
            self._measures.seconds.labels(path).observe(seconds)
            facts = {"method": scope["method"], "path": path, "status": status, "ms": round(seconds * 1000)}
            self._journal.write("request", id=scope[REQUEST_ID], **facts, **scope.get("triptych_facts", {}))

    async def _answer(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        self._measures.failures.labels(problem.kind.name).inc()
        scope.setdefault("triptych_facts", {})["problem"] = problem.kind.name
        await problem.answer(scope[REQUEST_ID])(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        """Why a request is rejected before it is read; None if it is not."""
        headers = dict(scope["headers"])
        if self._keys and scope["path"].startswith(KEPT_BEHIND_KEYS) and not self._has_key(headers):
            detail = "This service needs a key; send one as the header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
            return Problem(NO_KEY, detail, headers={"WWW-Authenticate": "Bearer"})
        announced = headers.get(b"content-length", b"0")
        return _too_large() if announced.isdigit() and int(announced) > MOST_BYTES else None

    def _has_key(self, headers: dict[bytes, bytes]) -> bool:
        """Compare with every key to its end, so that the time taken does not reveal how much of one was right."""
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = bearer.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        return any([hmac.compare_digest(given, key) for key in self._keys])  # noqa: C419  # A list: compare with every key.


def _bounded(receive: Receive) -> Receive:
    """The same body, until it becomes too large, whatever size was announced."""
    taken = 0

    async def receive_more() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES:
            raise _too_large()
        return message

    return receive_more


def _too_large() -> Problem:
    return Problem(TOO_LARGE, f"A request may have up to {MOST_BYTES >> 20} MB; send fewer photographs at once.")


def _broken(error: Exception, journal: Journal, request_id: str) -> Problem:
    """An unforeseen error, whose details only the log gets."""
    journal.write("error", id=request_id, error="".join(traceback.format_exception(error)))
    return Problem(BROKEN, "The service failed; its log says why under this request's number.")

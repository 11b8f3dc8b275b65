"""The service and the page in one process on one port: the service gets its own addresses, and the page all others."""

from starlette.types import ASGIApp, Receive, Scope, Send

from captioner.service.guard import KEPT_BEHIND_KEYS, PATHS

_FOLDERS = (KEPT_BEHIND_KEYS, "/docs/", "/static-offline-docs/")


class ServiceWithPage:
    """An ASGI application that starts and stops with the service, which has to start and stop the page."""

    def __init__(self, service: ASGIApp, page: ASGIApp):
        self._service, self._page = service, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_services = scope["type"] == "lifespan" or path in PATHS or path.startswith(_FOLDERS)
        await (self._service if is_services else self._page)(scope, receive, send)

"""The service and the page in one process on one port: who asks for an address of the service's gets it, all else is the page."""

from starlette.types import ASGIApp, Receive, Scope, Send

from captioner.service.guard import KEPT_BEHIND_KEYS, PATHS

_FOLDERS = (KEPT_BEHIND_KEYS, "/docs/", "/static-offline-docs/")


class Beside:
    """An ASGI application; the service's start and stop are those of the whole, and have to take the page along."""

    def __init__(self, service: ASGIApp, page: ASGIApp):
        self._service, self._page = service, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._service if _is_services(scope) else self._page)(scope, receive, send)


def _is_services(scope: Scope) -> bool:
    path = scope.get("path", "")
    return scope["type"] == "lifespan" or path in PATHS or path.startswith(_FOLDERS)

"""The HTTP service as an ASGI application: photographs in, captions out as JSON, and its health and metrics.

Docstrings of addresses and of the models in `schema` are part of the OpenAPI document.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from captioner.captioning.bulk import entry
from captioner.config import VARIANTS
from captioner.errors import ConfigError, ImageError
from captioner.service import problems
from captioner.service.engine import CaptionOptions, Job
from captioner.service.guard import KEPT_BEHIND_KEYS, MOST_BYTES, Guard
from captioner.service.journal import Journal
from captioner.service.problems import Problem
from captioner.service.schema import (
    MOST_FILES,
    Alive,
    Captioned,
    Decoder,
    Parameters,
    ProblemAnswer,
    Ready,
    Refused,
    answers,
    upload_form,
)
from captioner.service.service import Load, Prepared, Service

_DESCRIPTION = "Captions of a photograph by three decoders that share one CNN and differ in their words' vectors alone."
_ALWAYS = (problems.BROKEN, problems.WRONG_METHOD)
_KEYS = {"bearer": {"type": "http", "scheme": "bearer"}, "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
_NO_SUCH = f"there is no such parameter; there are {', '.join(Parameters.model_fields)}"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    load: Load,
    keys: Sequence[str] = (),
    journal: Journal | None = None,
    give_up: Callable[[], None] = lambda: None,
    along: Lifespan = lambda _app: nullcontext(),
) -> FastAPI:
    """The application loads its decoders when it is started, and starts and stops `along` with itself.

    It calls `give_up` if they cannot be loaded.
    """
    service = Service(load, journal or Journal(), give_up)
    MultiPartParser.spool_max_size = MOST_BYTES  # Larger uploads would go through a file on disk.

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with along(app):
            service.start()
            yield
            await run_in_threadpool(service.close)
            service.journal.write("stopped")

    app = FastAPIOffline(
        title="Triptych", description=_DESCRIPTION, version="1", redoc_url=None, lifespan=lifespan, redirect_slashes=False
    )
    app.state.service = service
    app.add_middleware(Guard, measures=service.measures, journal=service.journal, keys=keys)
    _handle_problems(app)
    _add_watching(app, service)
    _add_captions(app, service)
    _complete_description(app, bool(keys))
    return app


def _handle_problems(app: FastAPI) -> None:
    """Raise every error as a `Problem` to the guard, which answers all of them in one form."""

    @app.exception_handler(RequestValidationError)
    async def misunderstood(_request: Request, error: RequestValidationError) -> Response:
        first: dict[str, str] = {}  # of each parameter's errors
        for one in error.errors():
            first.setdefault(one["loc"][1], _NO_SUCH if one["type"] == "extra_forbidden" else one["msg"])
        listed = "; ".join(f"{name}: {message}" for name, message in first.items())
        raise Problem(problems.BAD_REQUEST, f"{listed}.") from error

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> Response:
        kinds = {404: problems.NOT_FOUND, 405: problems.WRONG_METHOD}
        kind = kinds.get(error.status_code, problems.BAD_REQUEST)
        raise Problem(kind, f"{error.detail}: {request.method} {request.url.path}.", headers=dict(error.headers or {})) from error


def _add_watching(app: FastAPI, service: Service) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", responses=answers(*_ALWAYS), tags=["watching"])
    async def health() -> Alive:
        """Whether the service is alive."""
        return Alive(alive=True)

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", responses=answers(problems.STARTING, *_ALWAYS), tags=["watching"])
    async def ready() -> Ready:
        """Whether the decoders are loaded."""
        return Ready(ready=True, variants=list(service.ready.captioner.variants))

    @app.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(*_ALWAYS)},
             response_class=Response, tags=["watching"])  # fmt: skip
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        body, media_type = service.measures.page()
        return Response(body, media_type=media_type)

    @app.get("/v1/variants", responses=answers(problems.STARTING, problems.NO_KEY, *_ALWAYS), tags=["captions"])
    async def variants() -> list[Decoder]:
        """The decoders that are loaded."""
        captioner = service.ready.captioner
        found = (VARIANTS[name] for name in captioner.variants)
        return [
            Decoder(name=one.name, title=one.title, explanation=one.explanation, frozen=one.frozen, stage=captioner.stage)
            for one in found
        ]


def _add_captions(app: FastAPI, service: Service) -> None:
    wrong = (problems.NOT_A_PICTURE, problems.BAD_REQUEST, problems.NO_FORM, problems.TOO_LARGE, problems.NO_KEY,
             problems.BUSY, problems.STARTING, problems.TOO_SLOW)  # fmt: skip

    @app.post("/v1/captions", responses=answers(*wrong, *_ALWAYS), openapi_extra=upload_form(), tags=["captions"])
    async def captions(request: Request, asked: Annotated[Parameters, Query()]) -> list[Captioned | Refused]:
        """Captions of one or several photographs, in the order in which they were sent."""
        engine = service.ready
        try:
            options = engine.options(asked.beam, asked.top, tuple(dict.fromkeys(asked.variants)), asked.tell)
        except ConfigError as error:
            raise Problem(problems.BAD_REQUEST, str(error)) from error
        async with service.in_time():
            files = await _read(service, request, options)
            found = iter(await service.caption(_usable(service, files)))
        facts = engine.captioner.stage, asked.top, asked.tell, options.notes
        return [entry(name, job if isinstance(job, ImageError) else next(found), *facts) for name, job in files]


def _complete_description(app: FastAPI, asks_for_keys: bool) -> None:
    """Add what FastAPI cannot know: the guard's form of problems and its keys."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    schemas["ProblemAnswer"] = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas["ProblemAnswer"].pop("$defs", None)
    if asks_for_keys:
        document["components"]["securitySchemes"] = _KEYS
        for path, operations in document["paths"].items():
            for operation in operations.values() if path.startswith(KEPT_BEHIND_KEYS) else ():
                operation["security"] = [{name: []} for name in _KEYS]


def _usable(service: Service, files: Sequence[tuple[str, Prepared]]) -> list[Job]:
    """The files that can be captioned; raises a `Problem` if there is none."""
    refused = [{"image": name, "error": str(job)} for name, job in files if isinstance(job, ImageError)]
    service.measures.refused.inc(len(refused))
    if len(refused) == len(files):
        raise Problem(problems.NOT_A_PICTURE, refused[0]["error"], {"files": refused})
    return [job for _, job in files if isinstance(job, Job)]


async def _read(service: Service, request: Request, options: CaptionOptions) -> list[tuple[str, Prepared]]:
    """The form's files by name, ready to be captioned; the form itself is dropped."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem(problems.NO_FORM, "Send the photographs as multipart/form-data, in the field 'files'.")
    with service.room(_announced(request)):
        async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
            files = _files(form)
            log = request.scope.setdefault("triptych_facts", {})["files"] = [{} for _ in files]
            jobs = (service.prepare(file, name, options, facts) for (name, file), facts in zip(files, log, strict=True))
            return [(name, job) for (name, _), job in zip(files, await asyncio.gather(*jobs), strict=True)]


def _announced(request: Request) -> int:
    """The size of a request; the largest allowed if it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and "transfer-encoding" not in request.headers else MOST_BYTES


def _files(form: FormData) -> list[tuple[str, UploadFile]]:
    given = form.getlist("files")
    if not given or not all(isinstance(one, UploadFile) for one in given):
        raise Problem(problems.BAD_REQUEST, "The field 'files' should hold one photograph or more, each as a file.")
    return [(one.filename or "photograph", one) for one in given]

"""What the addresses of the service share: the decoders, once they are loaded, the counts and the log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from typing import Any

from starlette.datastructures import UploadFile

from captioner.data.images import MAXIMUM_BYTES
from captioner.errors import BusyError, ImageError, TriptychError
from captioner.runtime import cores
from captioner.service import problems
from captioner.service.engine import CaptionOptions, Captions, Engine, Job
from captioner.service.journal import Journal, Measures, file_facts
from captioner.service.problems import Problem

SECONDS, _LATER = 60, {"Retry-After": "2"}
ROOM, _LEAST = 256 << 20, 2 << 20  # bytes of all requests that are being read, and the least that one is counted as
_READERS = 4  # A container may have less memory than the machine's cores suggest, and a large picture takes 300 MB.

Load = Callable[[], Engine]
Prepared = Job | ImageError


class Service:
    """Loads the engine when it is started."""

    def __init__(self, load: Load, journal: Journal, give_up: Callable[[], None]):
        self.measures, self.journal = Measures(), journal
        self.engine: Engine | None = None
        self.failure = ""
        self._load, self._give_up, self._free = load, give_up, ROOM
        self._readers = ThreadPoolExecutor(min(cores(), _READERS), thread_name_prefix="read")

    def start(self) -> None:
        """Load the decoders in a thread, so that the service can already answer that it is alive."""
        threading.Thread(target=self._start, name="load", daemon=True).start()

    def _start(self) -> None:
        try:
            engine = self._load()
            engine.timed = self.measures.timed
            self.measures.waiting.set_function(lambda: engine.queue.waiting)
            self.engine = engine
            self.journal.write("ready", variants=list(engine.captioner.variants), stage=engine.captioner.stage)
        except Exception as error:
            self.failure = str(error) if isinstance(error, TriptychError) else "They could not be loaded; the log says why."
            self.journal.write("error", error=f"The decoders could not be loaded: {error!r}")
            self._give_up()

    @property
    def ready(self) -> Engine:
        if self.engine:
            return self.engine
        if self.failure:
            raise Problem(problems.STARTING, self.failure)
        raise Problem(problems.STARTING, "It takes some seconds; ask again.", headers=_LATER)

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Cancel what takes longer than the limit."""
        try:
            async with asyncio.timeout(SECONDS):
                yield
        except TimeoutError as error:
            raise Problem(problems.TOO_SLOW, f"It took more than {SECONDS} seconds; send fewer photographs at once.") from error

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Reserve bytes for a request while it is read. Needs no lock: only the event loop's thread enters it."""
        size = max(size, _LEAST)
        if size > self._free:
            raise Problem(problems.BUSY, "Too many photographs are being sent. Try again in a moment.", headers=_LATER)
        self._free -= size
        try:
            yield
        finally:
            self._free += size

    async def prepare(self, file: UploadFile, name: str, options: CaptionOptions, facts: dict[str, Any]) -> Prepared:
        """Decode a file in one of a few threads, since each holds a large picture; `facts` receives its log entry."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._prepare, file, name, options, facts)

    def _prepare(self, file: UploadFile, name: str, options: CaptionOptions, facts: dict[str, Any]) -> Prepared:
        data = file.file.read(MAXIMUM_BYTES + 1)  # One byte more is enough to see that it is too large.
        facts |= file_facts(data)
        try:
            return self.ready.prepare(data, name, options)
        except ImageError as error:
            return error

    async def caption(self, jobs: Sequence[Job]) -> list[Captions]:
        try:
            futures = self.ready.submit(jobs)
        except BusyError as error:
            raise Problem(problems.BUSY, str(error), headers=_LATER) from error
        found = await asyncio.gather(*map(asyncio.wrap_future, futures))
        for variant in chain.from_iterable(found):
            self.measures.photographs.labels(variant).inc()
        return found

    def close(self) -> None:
        """Finish the accepted jobs first."""
        self._readers.shutdown()
        if self.engine:
            self.engine.close()

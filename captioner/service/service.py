"""What the addresses of the service share: the decoders, once they are loaded, what is counted, and the log."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from itertools import chain

from captioner.errors import BusyError, ImageError, TriptychError
from captioner.runtime import cores
from captioner.service import problems
from captioner.service.engine import Captions, Engine, Job, Timed, Wish
from captioner.service.journal import Journal
from captioner.service.measures import Measures
from captioner.service.problems import Problem

SECONDS, RETRY_SECONDS = 60, 2

Load = Callable[[Timed], Engine]
Prepared = Job | ImageError


class Service:
    """Loads the engine when it is started."""

    def __init__(self, load: Load, journal: Journal):
        self.measures, self.journal = Measures(), journal
        self.engine: Engine | None = None
        self.failure = ""
        self._load, self._reading = load, threading.Semaphore(cores())

    def start(self) -> None:
        """Load the decoders aside, so that the service can say already that it is alive."""
        threading.Thread(target=self._start, name="load", daemon=True).start()

    def _start(self) -> None:
        try:
            self.engine = self._load(self.measures.timed)
            self.measures.waiting.set_function(lambda: self.engine.waiting)
            self.journal.write("ready", variants=list(self.engine.captioner.variants), stage=self.engine.captioner.stage)
        except Exception as error:
            self.failure = str(error) if isinstance(error, TriptychError) else "They could not be loaded; the log says why."
            self.journal.write("error", error=f"The decoders could not be loaded: {error!r}")

    @property
    def ready(self) -> Engine:
        if self.engine is None:
            detail = self.failure or "It takes some seconds; ask again."
            raise Problem(problems.STARTING, detail, headers={"Retry-After": str(RETRY_SECONDS)})
        return self.engine

    def prepare(self, data: bytes, name: str, wish: Wish) -> Prepared:
        """One file, in a thread; as many at once as there are cores, since each holds a decoded photograph meanwhile."""
        try:
            with self._reading:
                return self.ready.prepare(data, name, wish)
        except ImageError as error:
            return error

    async def caption(self, jobs: Sequence[Job]) -> list[Captions]:
        try:
            futures = self.ready.submit(jobs)
        except BusyError as error:
            raise Problem(problems.BUSY, str(error), headers={"Retry-After": str(RETRY_SECONDS)}) from error
        try:
            found = await asyncio.wait_for(asyncio.gather(*map(asyncio.wrap_future, futures)), SECONDS)
        except TimeoutError as error:
            raise Problem(problems.TOO_SLOW, f"They took more than {SECONDS} seconds; send fewer photographs at once.") from error
        for variant in chain.from_iterable(found):
            self.measures.photographs.labels(variant).inc()
        return found

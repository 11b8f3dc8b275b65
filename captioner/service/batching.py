"""Takes single pieces of work from many threads and does them together: a little waiting for company, a bounded queue, an order.

What the work is, is left to whoever makes a `Batcher`; nothing here knows of photographs.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from captioner.errors import BusyError

Item, Result = TypeVar("Item"), TypeVar("Result")
Work = Callable[[Sequence[Item]], Sequence[Result]]


class Batcher(Generic[Item, Result]):
    """Safe to share between threads. `close` takes no more, and returns when all that was taken is done."""

    def __init__(self, work: Work, most: int, waiting: int, patience: float, workers: int = 1):
        """Up to `most` pieces are done together; the first of them waits up to `patience` seconds for the others."""
        self._work, self._most, self._waiting, self._patience = work, most, waiting, patience
        self._queue: deque[tuple[Item, Future]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=f"batch-{number}", daemon=True) for number in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._queue)

    def submit(self, items: Sequence[Item]) -> list["Future[Result]"]:
        """All of them or none are taken: a request is answered whole."""
        with self._changed:
            if self._closed:
                raise BusyError("The service is being stopped; ask again when it is back.")
            if len(self._queue) + len(items) > self._waiting:
                raise BusyError(f"{len(self._queue)} photographs are waiting already; ask again in a moment.")
            futures: list[Future[Result]] = [Future() for _ in items]
            self._queue.extend(zip(items, futures, strict=True))
            self._changed.notify_all()
        return futures

    def close(self, seconds: float | None = None) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(seconds)

    def _serve(self) -> None:
        while batch := self._next():
            given = [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]
            if given:
                self._do(given)

    def _next(self) -> list[tuple[Item, Future]]:
        """The next batch; none when there is nothing left to do for good."""
        with self._changed:
            while not (self._closed and not self._queue):
                self._changed.wait_for(lambda: self._queue or self._closed)
                self._wait_for_company()
                if self._queue:  # Another worker may have taken all of it meanwhile.
                    return [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
            return []

    def _wait_for_company(self) -> None:
        end = time.monotonic() + self._patience
        while 0 < len(self._queue) < self._most and not self._closed:
            left = end - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                break

    def _do(self, batch: Sequence[tuple[Item, Future]]) -> None:
        """Where the work fails, each piece is done alone, so that one does not spoil it for the others."""
        try:
            results = self._work([item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:
                self._do([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

"""A bounded FIFO queue for CPU-heavy work, shared by the page and the HTTP service, and a micro-batcher that takes turns in it.

What the work is, is left to the callers.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from captioner.errors import BusyError

WAITING = 128  # requests; more would wait for most of a minute

Item, Result = TypeVar("Item"), TypeVar("Result")


class WorkQueue:
    """A few worker threads and a bound on the requests that wait for them. Safe to share between threads."""

    def __init__(self, workers: int, waiting: int = WAITING):
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="work")
        self._most, self._waiting, self._closed = waiting, 0, False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        return self._waiting

    def run(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Wait for a turn and return what the call returns. The call itself must not use the queue."""
        with self._changed:
            self.enter(1)
            future = self.put(self._begin, call, arguments)
        return future.result()

    def _begin(self, call: Callable[..., Result], arguments: Sequence[Any]) -> Result:
        self.leave(1)
        return call(*arguments)

    def enter(self, requests: int) -> None:
        """Count these requests as waiting: all or, with a `BusyError`, none."""
        with self._changed:
            if self._closed:
                raise BusyError("The service is stopping. Try again when it is back.")
            if self._waiting + requests > self._most:
                raise BusyError(f"The server is busy ({self._waiting} requests queued). Try again in a minute.")
            self._waiting += requests

    def leave(self, requests: int) -> None:
        """Count these requests as begun."""
        with self._changed:
            self._waiting -= requests
            self._changed.notify_all()

    def put(self, call: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Queue a call that counts as no request."""
        return self._pool.submit(call, *arguments)

    def close(self) -> None:
        """Accept no more requests, and return when all that were accepted are done."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._waiting)
        self._pool.shutdown()


class Batcher(Generic[Item, Result]):
    """Micro-batcher: collects items from several threads into batches, each of which takes a turn in the queue."""

    def __init__(
        self, queue: WorkQueue, work: Callable[[Sequence[Item]], Sequence[Result]], most: int, patience: float, turns: int
    ):
        """Up to `most` items are a batch, the first waits `patience` seconds for others, and `turns` batches run at once."""
        self._queue, self._work, self._most, self._patience, self._free_turns = queue, work, most, patience, turns
        self._items: deque[tuple[Item, Future[Result]]] = deque()
        self._lock = threading.Lock()

    def submit(self, items: Sequence[Item]) -> list["Future[Result]"]:
        """Accept all items or, with a `BusyError`, none."""
        self._queue.enter(len(items))
        futures: list[Future[Result]] = [Future() for _ in items]
        with self._lock:
            self._items.extend(zip(items, futures, strict=True))
            while self._free_turns:
                self._free_turns -= 1
                self._queue.put(self._turn)
        return futures

    def _turn(self) -> None:
        self._process(self._collect())
        with self._lock:
            if self._items:
                self._queue.put(self._turn)  # behind the requests that have come meanwhile
            else:
                self._free_turns += 1

    def _collect(self) -> list[tuple[Item, "Future[Result]"]]:
        if 0 < len(self._items) < self._most:
            time.sleep(self._patience)
        with self._lock:
            batch = [self._items.popleft() for _ in range(min(self._most, len(self._items)))]
        self._queue.leave(len(batch))
        return [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]

    def _process(self, batch: Sequence[tuple[Item, "Future[Result]"]]) -> None:
        """Where a batch fails, process each item alone, so that one does not spoil it for the others."""
        try:
            results = self._work([item for item, _ in batch]) if batch else []
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:
                self._process([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

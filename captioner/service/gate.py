"""A gate before the machine's cores: so many pass at once, the others wait in the order in which they came, or are sent away.

Without it dozens of visitors would all be slow together, and each would hold the memory of a decoded photograph meanwhile.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from captioner.errors import BusyError

WAITING = 96  # Three classes of thirty-two; whoever comes after them would wait for most of a minute.


class Gate:
    """Safe to share between threads."""

    def __init__(self, at_once: int, waiting: int = WAITING):
        self._free, self._most = at_once, waiting
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Within it one has a place; raises `BusyError` where too many wait for one already."""
        turn = self._enter()
        if turn is not None:
            turn.wait()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> threading.Event | None:
        """Nothing where there is a free place, else what is set when one has become free for us."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if len(self._queue) >= self._most:
                raise BusyError(
                    f"{len(self._queue)} others are waiting for their captions at this moment; load the page again in a minute."
                )
            turn = threading.Event()
            self._queue.append(turn)
            return turn

    def _leave(self) -> None:
        """Hand the place to who has waited longest."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1

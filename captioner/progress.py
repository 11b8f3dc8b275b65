"""Progress of long work on standard error: how much is done, how fast, and the time left."""

import sys
import time


def duration(seconds: float) -> str:
    """A duration for people.

    >>> duration(42.4), duration(125), duration(7500)
    ('42 s', '2 min 05 s', '2 h 05 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class Progress:
    """Counts finished items; on a terminal it rewrites one line, elsewhere it prints a line every 15 seconds."""

    def __init__(self, label: str, total: int, unit: str, shown: bool = True):
        self.label, self.total, self.unit, self.shown = label, total, unit, shown
        self.done = self._skipped = 0
        self._stream = sys.stderr
        self._terminal = self._stream.isatty()
        self._every = 0.2 if self._terminal else 15.0
        self._start = self._last = time.monotonic()
        self._line_is_open = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        """End the line of work that stopped early, so that later output starts a new one."""
        if self._line_is_open:
            self._write("\n")

    def skip(self, count: int) -> None:
        """Count work of an earlier run, which does not affect the rate."""
        self.done += count
        self._skipped += count

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        now = time.monotonic()
        if self.shown and (now - self._last >= self._every or (self.done >= self.total and count)):
            self._last = now
            self._show(now, note)

    def _show(self, now: float, note: str) -> None:
        rate = (self.done - self._skipped) / max(now - self._start, 1e-9)
        left = max(self.total - self.done, 0) / rate if rate > 0 else 0.0
        line = f"{self.label}: {self.done} of {self.total} {self.unit}, {rate:.1f}/s, {duration(left)} left"
        line += note and f", {note}"
        self._line_is_open = self._terminal and self.done < self.total
        self._write(("\r\x1b[2K" if self._terminal else "") + line + ("" if self._line_is_open else "\n"))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

"""The output of commands: results on standard output, as JSON or as tables; everything else on standard error."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from captioner.progress import duration

Cells = Mapping[str, str]
Work = TypeVar("Work")


def note(sentence: str) -> None:
    """Print a message that is not a result."""
    print(f"triptych: {sentence}", file=sys.stderr)


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=1))


def in_turn(left: Sequence[Work], what: str) -> Iterator[Work]:
    """Yield the items one by one; note the name of each, and the time left at the speed so far."""
    begun = time.monotonic()
    for number, work in enumerate(left, 1):
        note(f"{what} {number} of {len(left)}: {work}.")
        yield work
        passed = time.monotonic() - begun
        to_come = duration(passed / number * (len(left) - number))
        note(f"{number} of {len(left)} done in {duration(passed)}; about {to_come} left.")


def print_table(columns: Mapping[str, Cells]) -> None:
    """Print columns side by side under their titles, with a row for every name of the first column."""
    names = list(next(iter(columns.values())))
    blocks = [["", *names], *([title, *(cells.get(name, "") for name in names)] for title, cells in columns.items())]
    widths = [max(map(len, block)) for block in blocks]
    for row in zip(*blocks, strict=True):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def with_interval(value: float, ends: Sequence[float] | None) -> str:
    """A number with its 95% interval, if any.

    >>> with_interval(0.5512, (0.52, 0.5829)), with_interval(0.25, None)
    ('0.551 [0.520, 0.583]', '0.250')
    """
    return f"{value:.3f}" if ends is None else f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"

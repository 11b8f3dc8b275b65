"""How the commands speak: results on standard output, as JSON or as tables, and everything else on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

Cells = Mapping[str, str]


def note(sentence: str) -> None:
    """Tell the person at the terminal something that is no result."""
    print(f"triptych: {sentence}", file=sys.stderr)


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=1))


def print_table(columns: Mapping[str, Cells]) -> None:
    """Columns side by side under their titles; a row for every name that the first of them has."""
    names = list(next(iter(columns.values())))
    blocks = [["", *names], *([title, *(cells.get(name, "") for name in names)] for title, cells in columns.items())]
    widths = [max(map(len, block)) for block in blocks]
    for row in zip(*blocks, strict=True):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def with_interval(value: float, ends: Sequence[float] | None) -> str:
    """A number and its 95% interval as people read them.

    >>> with_interval(0.5512, (0.52, 0.5829)), with_interval(0.25, None)
    ('0.551 [0.520, 0.583]', '0.250')
    """
    return f"{value:.3f}" if ends is None else f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"

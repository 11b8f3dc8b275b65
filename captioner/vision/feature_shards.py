"""The arrays of a feature cache, memory-mapped when rows are read and unmapped before they fill this process's memory.

Assigning rows to pictures and writing arrays is left to `captioner.vision.feature_cache`.
"""

import math
import mmap
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from captioner.errors import FeatureError

SHARD_ROWS = 512
HELD_BYTES = 32 * 2**20  # Pages read through a mapping count as this process's memory until it is unmapped.
HELD_FILES = 256  # Processes are often limited to a thousand open files.
_ROWS_AT_ONCE = 32


class _File(NamedTuple):
    path: Path
    offset: int  # of its first row, in bytes
    rows: int


class _Mapping(NamedTuple):
    memory: mmap.mmap
    rows: np.ndarray  # (rows, regions, channels)


class Shards:
    """Arrays of one shape on disk, with rows numbered through all of them."""

    def __init__(self, shape: tuple[int, int]):
        self.shape = shape
        self.row_bytes = math.prod(shape) * np.dtype(np.float16).itemsize
        self._files: list[_File] = []
        self._firsts: list[int] = []  # the number of each file's first row
        self._mappings: dict[int, _Mapping] = {}
        self._touched = 0
        self._rows = 0

    def add(self, path: Path, rows: int) -> int | None:
        """Open an array and return the number of its first row, or None if it does not have `rows` rows of this shape."""
        array = self._open(path, rows)
        if array is None:
            return None
        first = self._rows
        self._files.append(_File(path, array.offset, rows))
        self._firsts.append(first)
        self._rows += rows
        return first

    def fits(self, path: Path, rows: int) -> bool:
        """Whether `add` would take this array."""
        return self._open(path, rows) is not None

    def _open(self, path: Path, rows: int) -> np.memmap | None:
        try:
            array = np.load(path, mmap_mode="r")
        except Exception:  # NumPy can raise almost anything for a damaged header.
            return None
        fits = isinstance(array, np.memmap) and array.shape == (rows, *self.shape) and array.dtype == np.float16
        return array if fits else None

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """A copy of these rows, float16 (rows, regions, channels)."""
        found = np.empty((len(rows), *self.shape), np.float16)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            self._copy(rows[first : first + _ROWS_AT_ONCE], found[first : first + _ROWS_AT_ONCE])
        return found

    def _copy(self, rows: Sequence[int], found: np.ndarray) -> None:
        """Announce all rows before reading the first, so that the disk can fetch them together."""
        if self._touched >= HELD_BYTES or len(self._mappings) >= HELD_FILES:
            self._mappings.clear()
            self._touched = 0
        places = [self._place(row) for row in rows]
        for number, row in places:
            self._announce(number, row)
        for place, (number, row) in zip(found, places, strict=True):
            place[...] = self._mappings[number].rows[row]
        self._touched += len(rows) * self.row_bytes

    def _place(self, row: int) -> tuple[int, int]:
        """The number of a row's file, and its row there."""
        number = bisect_right(self._firsts, row) - 1
        return number, row - self._firsts[number]

    def _announce(self, number: int, row: int) -> None:
        start = self._files[number].offset + row * self.row_bytes
        before = start % mmap.PAGESIZE
        _advise(self._mapping(number).memory, "MADV_WILLNEED", start - before, self.row_bytes + before)

    def _mapping(self, number: int) -> _Mapping:
        if number not in self._mappings:
            path, offset, rows = self._files[number]
            try:
                with path.open("rb") as file:
                    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                array = np.ndarray((rows, *self.shape), np.float16, memory, offset)
            except (OSError, ValueError, TypeError) as error:  # ValueError and TypeError: the file is too short now.
                raise FeatureError(
                    f"The file {path} of the feature cache has disappeared; start again to compute it again."
                ) from error
            # Otherwise the system reads megabytes around each missing page.
            _advise(memory, "MADV_RANDOM", 0, len(memory))
            self._mappings[number] = _Mapping(memory, array)
        return self._mappings[number]


def _advise(memory: mmap.mmap, advice: str, start: int, length: int) -> None:
    """Tell the system how a mapping will be read, where the system supports it."""
    if hasattr(mmap, advice):
        memory.madvise(getattr(mmap, advice), start, length)

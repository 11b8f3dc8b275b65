"""A JSON list that is written entry by entry, a line each, so that whatever ends the writing, what was written can be read.

`Listing.go_on` takes up one that was interrupted.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from captioner.errors import ConfigError

Entry = dict[str, Any]
_BEGINNING = b'{"image": '


class Listing:
    """Writes to a stream; `close` ends the list, sees to it that a file of its own is on the disk, and leaves others open."""

    def __init__(self, stream: TextIO, entries: int = 0, own: bool = False):
        self._stream, self._entries, self._own, self._failed = stream, entries, own, False

    @classmethod
    def begin(cls, path: Path) -> "Listing":
        """A new file; what is there already is not written over."""
        try:
            return cls(path.open("x", encoding="utf-8", newline=""), own=True)
        except FileExistsError as error:
            advice = "add --skip-done to go on with it, or give another name"
            raise ConfigError(f"There is a file {path} already; {advice}.") from error
        except OSError as error:
            raise ConfigError(f"The file {path} cannot be written ({error.strerror}); give another name.") from error

    @classmethod
    def go_on(cls, path: Path, keeps: Callable[[Entry], bool]) -> tuple["Listing", set[str]]:
        """The list in a file, to be added to, and the pictures that it holds.

        A last entry that was cut off is taken away, and so are those that `keeps` gives up; each of these leaves a blank line.
        Nothing is changed before all has been read, and nothing at all in a file that something else wrote.
        """
        images, given_up, end = [], [], 0
        try:
            for entry, place, length in _entries(path):
                if keeps(entry):
                    images.append(entry["image"])
                    end = place + length
                else:
                    given_up.append((place, length + len(",")))
            _take_away(path, given_up, end)
            return cls(path.open("a", encoding="utf-8", newline=""), len(images), own=True), set(images)
        except FileNotFoundError:
            return cls.begin(path), set()
        except OSError as error:
            raise ConfigError(f"The file {path} cannot be gone on with ({error.strerror}); give another name.") from error

    def add(self, entry: Entry) -> None:
        self._write((",\n" if self._entries else "[\n") + json.dumps(entry))
        self._entries += 1

    def close(self) -> None:
        """After a failure the list stays as it is, cut off, which `go_on` can read."""
        try:
            if not self._failed:
                self._write("\n]\n" if self._entries else "[]\n", last=True)
        finally:
            if self._own:
                with suppress(OSError):
                    self._stream.close()

    def _write(self, text: str, last: bool = False) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
            if last and self._own:
                os.fsync(self._stream.fileno())
        except OSError as error:
            self._failed = True
            if isinstance(error, BrokenPipeError):
                raise
            advice = "make room and go on with --out and --skip-done"
            raise ConfigError(f"The captions cannot be written ({error.strerror}); {advice}.") from error


def _take_away(path: Path, given_up: list[tuple[int, int]], end: int) -> None:
    """Blank out those places of a file, each with its length, and all that comes after its end."""
    with path.open("r+b") as file:
        for place, length in given_up:
            file.seek(place)
            file.write(b" " * length)
        file.truncate(end)


def _entries(path: Path) -> Iterator[tuple[Entry, int, int]]:
    """The entries of a list that `Listing` wrote, each with its place in the file and its length."""
    with path.open("rb") as file:
        first = file.readline()
        place, more = len(first), first.rstrip(b"\r\n") == b"["
        if not more and first.rstrip(b"\r\n") != b"[]" and first:
            raise _not_ours(path, 1)
        for number, line in enumerate(file, 2):
            text = line.rstrip(b"\r\n").removesuffix(b",")
            if entry := _entry(text) if more else None:
                yield entry, place, len(text)
                more = line.rstrip(b"\r\n").endswith(b",")
            elif text.strip() and (not _ends(line) or file.read(1)):
                raise _not_ours(path, number)
            place += len(line)


def _entry(text: bytes) -> Entry | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(entry, dict) and isinstance(entry.get("image"), str)):
        return None
    return entry if "error" in entry or isinstance(entry.get("captions"), dict) else None


def _ends(line: bytes) -> bool:
    """Whether it is the list's end, or an entry that was cut off."""
    cut_off = not line.endswith(b"\n") and (line.startswith(_BEGINNING) or _BEGINNING.startswith(line))
    return cut_off or line.rstrip(b"\r\n") == b"]"


def _not_ours(path: Path, number: int) -> ConfigError:
    return ConfigError(f"Line {number} of {path} was not written by caption --out; mend it or give another name.")

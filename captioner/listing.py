"""A JSON list that is written entry by entry, a line each, so that whatever ends the writing, what was written can be read.

`Listing.go_on` takes up one that was interrupted.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from captioner.errors import ConfigError

Entry = dict[str, Any]


class Listing:
    """Writes to a stream; `close` ends the list, sees to it that a file of its own is on the disk, and leaves others open."""

    def __init__(self, stream: TextIO, entries: int = 0, own: bool = False):
        self._stream, self._entries, self._own = stream, entries, own

    @classmethod
    def begin(cls, path: Path) -> "Listing":
        """A new file; what is there already is not written over."""
        try:
            return cls(path.open("x", encoding="utf-8"), own=True)
        except FileExistsError as error:
            advice = "add --skip-done to go on with it, or give another name"
            raise ConfigError(f"There is a file {path} already; {advice}.") from error
        except OSError as error:
            raise ConfigError(f"The file {path} cannot be written ({error.strerror}); give another name.") from error

    @classmethod
    def go_on(cls, path: Path) -> tuple["Listing", list[Entry]]:
        """The list in a file, to be added to, and what it holds already; a last entry that was cut off is taken away."""
        if not path.exists():
            return cls.begin(path), []
        done, end = [], 0
        try:
            for entry, end in _whole_entries(path):
                done.append(entry)
            stream = path.open("r+", encoding="utf-8", newline="")
            stream.seek(end)
            stream.truncate()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The file {path} cannot be gone on with ({error}); give another name.") from error
        return cls(stream, len(done), own=True), done

    def add(self, entry: Entry) -> None:
        self._stream.write((",\n" if self._entries else "[\n") + json.dumps(entry))
        self._stream.flush()
        self._entries += 1

    def close(self) -> None:
        self._stream.write("\n]\n" if self._entries else "[]\n")
        self._stream.flush()
        if self._own:
            os.fsync(self._stream.fileno())
            self._stream.close()


def _whole_entries(path: Path) -> Iterator[tuple[Entry, int]]:
    """The entries of a list that `Listing` wrote, each with the place in the file where it ends."""
    with path.open("rb") as file:
        first = file.readline()
        if first.strip() not in (b"[", b"", b"[]"):
            raise ConfigError(f"The file {path} was not written by caption --out; give another name.")
        start = len(first)
        for line in file:
            text = line.rstrip(b"\n").removesuffix(b",")
            try:
                entry = json.loads(text)
            except ValueError:
                break
            if not (isinstance(entry, dict) and isinstance(entry.get("image"), str)):
                break
            yield entry, start + len(text)
            start += len(line)

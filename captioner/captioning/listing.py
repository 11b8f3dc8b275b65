"""Captions of many photographs as JSON Lines: a line per photograph, so that an interrupted file can be resumed."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from captioner.errors import ConfigError

Entry = dict[str, Any]
_BEGINNING = b'{"image": '


class Listing:
    """Appends entries to a file, which must be new unless it is resumed."""

    def __init__(self, path: Path, resume: bool = False):
        try:
            self._file = path.open("a" if resume else "x", encoding="utf-8", newline="")
        except FileExistsError as error:
            raise ConfigError(f"There is a file {path} already; add --skip-done to resume it, or give another name.") from error
        except OSError as error:
            raise ConfigError(f"Cannot write the file {path} ({error.strerror}); give another name.") from error

    def add(self, entry: Entry) -> None:
        write(self._file, json.dumps(entry) + "\n")

    def close(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _no_room(error) from error
        finally:
            with suppress(OSError):
                self._file.close()


def write(stream: TextIO, text: str) -> None:
    """Write at once; a full disk is a `ConfigError`."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> ConfigError:
    return ConfigError(f"Cannot write the captions ({error.strerror}); make room and resume; caption needs --skip-done for that.")


def read_done(path: Path, wanted: Callable[[Entry], bool]) -> set[str]:
    """The photographs whose captions a file holds; `wanted` gets every entry, says whether it is one of them, and may raise.

    Removes a last line that was cut off, after all others have been checked, and changes nothing else.
    """
    done, end = set(), 0
    try:
        with path.open("r+b") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and (line.startswith(_BEGINNING) or _BEGINNING.startswith(line)):
                    break
                entry = _parse(line, path, number)
                if wanted(entry) and "captions" in entry:
                    done.add(entry["image"])
                end += len(line)
            file.truncate(end)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigError(f"Cannot resume the file {path} ({error.strerror}); give another name.") from error
    return done


def _parse(line: bytes, path: Path, number: int) -> Entry:
    if number == 1 and line.startswith(b"["):
        raise ConfigError(f"{path} holds a JSON list, as earlier versions wrote; --out writes JSON Lines. Give another name.")
    with suppress(ValueError, RecursionError):
        entry = json.loads(line) if line.endswith(b"\n") else None
        captioned = isinstance(entry, dict) and ("error" in entry or isinstance(entry.get("captions"), dict))
        if isinstance(entry, dict) and captioned and isinstance(entry.get("image"), str):
            return entry
    raise ConfigError(f"Line {number} of {path} was not written by caption --out; correct it or give another name.")

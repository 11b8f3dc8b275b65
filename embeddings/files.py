"""Read untrusted files: bytes, gzip streams, JSON and safetensors, with size limits and one-sentence errors.

The modules that read them know what the contents mean.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from embeddings.errors import EmbeddingError

MAXIMUM_BYTES = 256 * 2**20
_CHUNK = 2**20
_GZIP_MAGIC = b"\x1f\x8b"
# Deflate compresses at most 1032 bytes to one, so the size of a gzip file bounds its content.
_MAXIMUM_RATIO = 1032


def find_file(path: str | Path) -> Path:
    """The path, checked to be a regular file."""
    path = Path(path)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):  # The name may be too long or contain a zero byte.
        pass
    raise EmbeddingError(f"There is no file {path}; check the path.")


def read_bytes(path: str | Path) -> bytes:
    """A whole file, unless it is larger than any of ours."""
    path = find_file(path)
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise EmbeddingError(f"{path} has {size / 2**20:.0f} MB; the limit is {MAXIMUM_BYTES // 2**20} MB.")
        return path.read_bytes()
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def open_stream(path: str | Path) -> Iterator[BinaryIO]:
    """A file as a stream, decompressed if it is gzip; read errors become an `EmbeddingError`."""
    path = find_file(path)
    try:
        with cast(BinaryIO, gzip.open(path) if _is_gzip(path) else path.open("rb")) as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EmbeddingError(f"{path} is a damaged gzip file: {error}; download or compress it again.") from error
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be read: {error.strerror}.") from error


class Ahead:
    """A stream with a read-ahead buffer, searched for the end of a word."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._bytes = b""
        self._place = 0
        self._passed = 0
        self._read_on()

    @property
    def position(self) -> int:
        """The number of bytes taken so far."""
        return self._passed + self._place

    def peek(self) -> bytes:
        return self._bytes[self._place :]

    def take(self, count: int) -> bytes | None:
        """The next `count` bytes, or None if fewer are left."""
        while len(self._bytes) - self._place < count:
            if not self._read_on():
                return None
        self._place += count
        return self._bytes[self._place - count : self._place]

    def take_until(self, mark: bytes, most: int) -> bytes | None:
        """The bytes before the mark, or None if it does not follow within `most` bytes."""
        while (end := self._bytes.find(mark, self._place, self._place + most)) < 0:
            if len(self._bytes) - self._place >= most or not self._read_on():
                return None
        taken = self._bytes[self._place : end]
        self._place = end + len(mark)
        return taken

    def _read_on(self) -> bool:
        more = self._stream.read(_CHUNK)
        self._passed += self._place
        self._bytes, self._place = self.peek() + more, 0
        return bool(more)


def largest_content(path: Path) -> int:
    """An upper bound of the file's size after decompression."""
    return path.stat().st_size * (_MAXIMUM_RATIO if _is_gzip(path) else 1)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


def read_object(data: bytes, kinds: Mapping[str, type | tuple[type, ...]], name: str) -> dict[str, Any]:
    """A JSON object with these keys and value types."""
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{name} is not JSON; it is damaged or another file.") from error
    if not isinstance(facts, dict):
        raise EmbeddingError(f"{name} should hold a JSON object, but holds a {type(facts).__name__}.")
    for key, kind in kinds.items():
        if key not in facts or not isinstance(facts[key], kind) or isinstance(facts[key], bool):
            raise EmbeddingError(f"{name} has no usable '{key}'; it is damaged or of another version.")
    return facts


def read_tensors(data: bytes, kinds: Mapping[str, tuple[str, int]], name: str) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file, checked for name, dtype and number of axes."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise EmbeddingError(f"{name} is not a safetensors file; it is damaged or another file.") from error
    if set(tensors) != set(kinds):
        raise EmbeddingError(f"{name} should hold {_list(kinds)}, but holds {_list(tensors)}.")
    for key, (dtype, axes) in kinds.items():
        if tensors[key].dtype != dtype or tensors[key].ndim != axes:
            received = f"{tensors[key].dtype} of {tensors[key].ndim} axes"
            raise EmbeddingError(f"'{key}' in {name} should be {dtype} of {axes} axes, but is {received}.")
    return tensors


def _list(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)[:5]) or "nothing"

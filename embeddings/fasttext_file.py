"""fastText's own model file (`.bin`), read in place: the file is mapped, not loaded, and its claims are checked first.

The fastText module would load 7 GB for a pretrained model and would follow a damaged file out of its memory.
"""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.files import Ahead, open_stream
from embeddings.subwords import Pieces

_MAGIC, _VERSION = 793712314, 12
# Magic and version; then dimensions, window, epochs, least count, negatives, n-grams, loss, model, buckets, least and
# most characters, update rate, subsampling; then entries, words, labels, tokens, pruned rows.
_HEADER = struct.Struct("<2i 12id 3i2q")
_ENTRY_END = struct.Struct("<qb")
_MATRIX = struct.Struct("<?2q")
_UNSUPERVISED_MODELS = (1, 2)
_MAXIMUM_WORD = 4096
_MAXIMUM_PIECE = 100
# The words are listed by frequency; the pieces of this many are the ones worth storing.
_FREQUENT = 20_000


@dataclass(frozen=True, eq=False)
class Model:
    """What a model file holds: rows of words, and the matrix that has them first and the buckets after them."""

    rows: dict[str, int]
    matrix: np.ndarray  # (words and then buckets, dimensions)
    pieces: Pieces
    frequent: tuple[str, ...]
    count: int


def is_model(path: Path) -> bool:
    with open_stream(path) as stream:
        return stream.read(4) == struct.pack("<i", _MAGIC)


def read(path: Path, limit_to: Collection[str] | None = None) -> Model:
    """Read the words and map the matrix."""
    wanted = None if limit_to is None else frozenset(limit_to)
    rows: dict[str, int] = {}
    frequent: list[str] = []
    with open_stream(path) as stream:
        ahead = Ahead(stream)
        count, dimensions, pieces = _read_header(ahead, path)
        for row, word in enumerate(_read_words(ahead, count, path)):
            if row < _FREQUENT:
                frequent.append(word)
            if wanted is None or word in wanted:
                rows[word] = row
        matrix = _map_matrix(ahead, (count + pieces.buckets, dimensions), path)
    return Model(rows, matrix, pieces, tuple(frequent), count)


def _read_header(ahead: Ahead, path: Path) -> tuple[int, int, Pieces]:
    header = ahead.take(_HEADER.size)
    if header is None:
        raise _damaged(path)
    version, dimensions, model, buckets, shortest, longest, count, pruned = (
        _HEADER.unpack(header)[place] for place in (1, 2, 9, 10, 11, 12, 16, 19)
    )
    if version != _VERSION or model not in _UNSUPERVISED_MODELS or pruned > 0:
        raise EmbeddingError(
            f"{path} is not a fastText model of word vectors in format {_VERSION}; "
            "give a .bin or .vec file of word vectors."
        )
    smallest = count * (1 + _ENTRY_END.size) + (count + buckets) * dimensions * 4
    if min(count, dimensions) < 1 or buckets < 0 or not 0 <= longest <= _MAXIMUM_PIECE or smallest > path.stat().st_size:
        raise _damaged(path)
    return count, dimensions, Pieces(buckets, max(1, shortest), longest)


def _read_words(ahead: Ahead, count: int, path: Path) -> Iterator[str]:
    for _ in range(count):
        word, end = ahead.take_until(b"\0", _MAXIMUM_WORD), ahead.take(_ENTRY_END.size)
        if word is None or end is None:
            raise _damaged(path)
        yield word.decode("utf-8", "replace")


def _map_matrix(ahead: Ahead, shape: tuple[int, int], path: Path) -> np.ndarray:
    head = ahead.take(_MATRIX.size)
    if head is None:
        raise _damaged(path)
    quantized, *claimed = _MATRIX.unpack(head)
    if quantized:
        raise EmbeddingError(f"{path} is a quantized fastText model, whose vectors are rounded off; give the full model.")
    if tuple(claimed) != shape or 4 * shape[0] * shape[1] > path.stat().st_size - ahead.position:
        raise _damaged(path)
    return np.memmap(path, np.dtype("<f4"), "r", ahead.position, shape)  # (words and then buckets, dimensions)


def _damaged(path: Path) -> EmbeddingError:
    return EmbeddingError(
        f"{path} starts like a fastText model, but its parts do not fit together; "
        "it is damaged, fetch it again."
    )

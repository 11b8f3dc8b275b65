"""FastText's matrix of words and n-grams, and its own model file (`.bin`), whose claims are checked before it is mapped.

The fastText module would load 7 GB for a pretrained model and would follow a damaged file out of its memory.
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.files import Ahead, open_stream
from embeddings.subwords import Pieces, Subwords, keep
from embeddings.word2vec import Vectors

END_OF_SENTENCE = "</s>"  # FastText adds this word to the end of every sentence.
_MAGIC, _VERSION = 793712314, 12
# Magic and version; then dimensions, window, epochs, least count, negatives, n-grams, loss, model, buckets, least and
# most characters, update rate, subsampling; then entries, words, labels, tokens, pruned rows.
_HEADER = struct.Struct("<2i 12id 3i2q")
_ENTRY_END = struct.Struct("<qb")
_MATRIX = struct.Struct("<?2q")
_UNSUPERVISED_MODELS = (1, 2)
_MAXIMUM_WORD = 4096
_MAXIMUM_PIECE = 100
_FREQUENT = 20_000  # Words are listed by frequency; only the n-grams of these first ones are worth storing.


@dataclass(frozen=True, eq=False)
class FastTextVectors(Vectors):
    """FastText's input matrix: a row for each word, then a row for each bucket of n-grams."""

    pieces: Pieces
    frequent: Sequence[str]  # the words whose n-grams matter most

    def lookup(self, word: str) -> tuple[np.ndarray, str] | None:
        """A word's vector and its origin; None if neither the word nor any of its n-grams was seen."""
        if word not in self.rows and (self.subwords is None or not self.subwords.known_ngrams(word)):
            return None
        own = [self.rows[word]] if word in self.rows else []
        first_bucket = len(self.matrix) - self.pieces.buckets
        vector = self.matrix[own + [first_bucket + bucket for bucket in self.pieces.rows(word)]].mean(0, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise EmbeddingError(f"FastText's vector of '{word}' is not finite; train or download the vectors again.")
        return vector, "trained" if own else "subwords"

    @cached_property
    def subwords(self) -> Subwords | None:
        """The composer of unseen words; None if the file has no n-grams."""
        if not self.pieces.buckets or not self.pieces.longest:
            return None
        return keep(self.pieces, self.matrix[len(self.matrix) - self.pieces.buckets :], self.frequent)


def is_model(path: Path) -> bool:
    with open_stream(path) as stream:
        return stream.read(4) == struct.pack("<i", _MAGIC)


def read(path: Path, limit_to: Collection[str] | None = None) -> FastTextVectors:
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
            if word != END_OF_SENTENCE and (wanted is None or word in wanted):
                rows[word] = row
        matrix = _map_matrix(ahead, (count + pieces.buckets, dimensions), path)
    source = f"Read from {path.name}: {count:,} words of {dimensions} dimensions, with their pieces."
    return FastTextVectors(rows, matrix, source, pieces, frequent)


def _read_header(ahead: Ahead, path: Path) -> tuple[int, int, Pieces]:
    header = ahead.take(_HEADER.size)
    if header is None:
        raise _damaged(path)
    version, dimensions, model, buckets, shortest, longest, count, pruned = (
        _HEADER.unpack(header)[place] for place in (1, 2, 9, 10, 11, 12, 16, 19)
    )
    if version != _VERSION or model not in _UNSUPERVISED_MODELS or pruned > 0:
        raise EmbeddingError(f"{path} is not a fastText model of word vectors (format {_VERSION}); give a .bin or .vec file.")
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
        raise EmbeddingError(f"{path} is a quantized fastText model, whose vectors are rounded; give the full model.")
    if tuple(claimed) != shape or 4 * shape[0] * shape[1] > path.stat().st_size - ahead.position:
        raise _damaged(path)
    return np.memmap(path, np.dtype("<f4"), "r", ahead.position, shape)  # (words and then buckets, dimensions)


def _damaged(path: Path) -> EmbeddingError:
    return EmbeddingError(f"{path} is a damaged fastText model: its parts do not fit together; download it again.")

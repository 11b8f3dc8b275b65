"""Word2Vec: train skip-gram vectors with gensim, or read a word2vec file: binary or text, gzip-compressed or not.

`table` turns the vectors into a table; `fasttext` composes vectors for unseen words.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from embeddings.corpus import SUBSAMPLING, SkipGram
from embeddings.errors import EmbeddingError
from embeddings.files import Ahead, find_file, largest_content, open_stream

MAXIMUM_DIMENSIONS = 4096
_MAXIMUM_WORD = 4096
_MAXIMUM_NUMBER = 64  # bytes of one written number; bounds the length of a line of text vectors


@dataclass(frozen=True, eq=False)
class Vectors:
    """Word vectors from training or from a file."""

    rows: Mapping[str, int]
    matrix: np.ndarray  # (words, dimensions)
    source: str

    @property
    def dimensions(self) -> int:
        return self.matrix.shape[1]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.rows)

    def __contains__(self, word: object) -> bool:
        return word in self.rows

    def lookup(self, word: str) -> tuple[np.ndarray, str] | None:
        """A word's vector and its origin, or None for an unseen word."""
        return (self.matrix[self.rows[word]], "trained") if word in self.rows else None


def train(sentences: Sequence[Sequence[str]], settings: SkipGram = SkipGram()) -> Vectors:
    """Train on one thread, so that the same sentences and seed give the same bits."""
    from gensim.models import Word2Vec

    settings.check(sentences)
    model = Word2Vec(
        sentences,
        vector_size=settings.dimensions,
        window=settings.window,
        epochs=settings.epochs,
        negative=settings.negatives,
        min_count=settings.minimum_count,
        sample=SUBSAMPLING,
        seed=settings.seed,
        sg=1,
        workers=1,
    )
    rows = {word: row for row, word in enumerate(model.wv.index_to_key)}
    return Vectors(rows, np.array(model.wv.vectors, np.float32), settings.source("Word2Vec", sentences))


def read(path: str | Path, limit_to: Collection[str] | None = None) -> Vectors:
    """Read a file in the word2vec format; `limit_to` keeps only these words, however large the file."""
    path = find_file(path)
    wanted = None if limit_to is None else {word.encode() for word in limit_to}
    kept: dict[bytes, np.ndarray] = {}
    with open_stream(path) as stream:
        count, dimensions = _read_header(stream, path)
        ahead = Ahead(stream)
        as_text = _looks_like_text(ahead.peek(), dimensions)
        rows, numbers = (_text_rows, _text_numbers) if as_text else (_binary_rows, _binary_numbers)
        for number, (word, written) in enumerate(rows(ahead, count, dimensions), start=1):
            if written is None:
                raise EmbeddingError(f"{path} ends or is damaged at word {number:,} of {count:,}; download it again.")
            if (wanted is None or word in wanted) and word not in kept:
                kept[word] = _checked(numbers(written), word, dimensions, path)
    if not kept:
        raise EmbeddingError(f"{path} has none of the {len(limit_to or ()):,} words needed; use vectors of the same language.")
    found = {word.decode("utf-8", "replace"): row for row, word in enumerate(kept)}
    return Vectors(found, np.stack(list(kept.values())), f"Read from {path.name}: {count:,} words of {dimensions} dimensions.")


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, int]:
    line = stream.readline(100)
    try:
        count, dimensions = (int(part) for part in line.split())
    except ValueError:
        raise EmbeddingError(
            f"{path} does not start with the number of words and of dimensions, as word2vec files do; "
            "give a word2vec file (.bin, .txt, .vec, or .gz of one)."
        ) from None
    if not 1 <= dimensions <= MAXIMUM_DIMENSIONS or count < 1:
        limits = f"1 word or more and 1 to {MAXIMUM_DIMENSIONS} dimensions are supported"
        raise EmbeddingError(f"{path} claims {count:,} words of {dimensions:,} dimensions; {limits}.")
    # A word, a space and the shortest form of its numbers.
    if count * (2 + 2 * dimensions) > largest_content(path):
        raise EmbeddingError(f"{path} is too short for {count:,} words of {dimensions} dimensions; download it again.")
    return count, dimensions


def _looks_like_text(start: bytes, dimensions: int) -> bool:
    """Whether the first line is a word followed by written numbers."""
    written = start.split(b"\n", 1)[0].split()[1:]
    return len(written) == dimensions and _text_numbers(b" ".join(written)) is not None


def _text_rows(ahead: Ahead, count: int, dimensions: int) -> Iterator[tuple[bytes, bytes | None]]:
    most = _MAXIMUM_WORD + dimensions * _MAXIMUM_NUMBER
    for _ in range(count):
        line = ahead.take_until(b"\n", most)
        if line is None:  # The last line may lack its line ending, but no line may be endless.
            left = len(ahead.peek())
            line = (ahead.take(left) if left < most else None) or b""
        word, _, written = line.partition(b" ")
        yield word, written or None


def _text_numbers(written: bytes) -> np.ndarray | None:
    try:
        with np.errstate(over="ignore"):  # Overflow gives infinity, which `_checked` rejects by name.
            return np.array([float(number) for number in written.split()]).astype(np.float32)
    except ValueError:
        return None


def _binary_rows(ahead: Ahead, count: int, dimensions: int) -> Iterator[tuple[bytes, bytes | None]]:
    for _ in range(count):
        word = ahead.take_until(b" ", _MAXIMUM_WORD)
        # Some writers end each vector with a newline, some do not.
        yield (word or b"").lstrip(b"\n"), None if word is None else ahead.take(4 * dimensions)


def _binary_numbers(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, "<f4").astype(np.float32)


def _checked(numbers: np.ndarray | None, word: bytes, dimensions: int, path: Path) -> np.ndarray:
    if numbers is None or len(numbers) != dimensions or not np.isfinite(numbers).all():
        name = word.decode("utf-8", "replace")[:50]
        raise EmbeddingError(f"The vector of '{name}' in {path} is not {dimensions} finite numbers; download the file again.")
    return numbers

"""Word2Vec: train skip-gram vectors with gensim, or read a file of them, binary or text, packed or not.

Making a table of them is left to `table`; vectors for words never seen are FastText's, in `fasttext`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from embeddings.corpus import SUBSAMPLING, check_training
from embeddings.errors import EmbeddingError
from embeddings.files import Ahead, find_file, largest_content, open_stream

MAXIMUM_DIMENSIONS = 4096
_MAXIMUM_WORD = 4096
# No number is spelled with more than this many bytes, so a line of text vectors has a largest length.
_MAXIMUM_NUMBER = 64


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and their vectors as they came out of training or a file."""

    words: tuple[str, ...]
    matrix: np.ndarray  # (words, dimensions)
    source: str
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {word: row for row, word in enumerate(self.words)})

    @property
    def dimensions(self) -> int:
        return self.matrix.shape[1]

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def lookup(self, word: str) -> tuple[np.ndarray, str] | None:
        """A word's vector and its origin, or None for a word that was never seen."""
        return (self.matrix[self._rows[word]], "trained") if word in self._rows else None


def train(
    sentences: Sequence[Sequence[str]],
    dimensions: int = 300,
    window: int = 5,
    epochs: int = 10,
    negatives: int = 10,
    minimum_count: int = 2,
    seed: int = 1,
) -> Vectors:
    """Skip-gram with negative sampling. One thread, so the same sentences and seed give the same bits."""
    from gensim.models import Word2Vec

    check_training(sentences, minimum_count, dimensions=dimensions, window=window, epochs=epochs, negatives=negatives, seed=seed)
    model = Word2Vec(
        sentences,
        vector_size=dimensions,
        window=window,
        epochs=epochs,
        negative=negatives,
        min_count=minimum_count,
        sample=SUBSAMPLING,
        seed=seed,
        sg=1,
        workers=1,
    )
    settings_used = f"window {window}, {epochs} epochs and seed {seed}"
    source = f"Word2Vec (skip-gram), trained on {len(sentences):,} sentences with {settings_used}."
    return Vectors(tuple(model.wv.index_to_key), np.array(model.wv.vectors, np.float32), source)


def read(path: str | Path, limit_to: Collection[str] | None = None) -> Vectors:
    """Read a file in the word2vec format; with `limit_to` only these words are kept, however large the file is."""
    path = find_file(path)
    wanted = None if limit_to is None else {word.encode() for word in limit_to}
    kept: dict[bytes, np.ndarray] = {}
    with open_stream(path) as stream:
        count, dimensions = _read_header(stream, path)
        ahead = Ahead(stream)
        as_text = _looks_like_text(ahead.peek(), dimensions)
        rows, numbers = (_text_rows, _text_numbers) if as_text else (_binary_rows, _binary_numbers)
        for number, (word, spelled) in enumerate(rows(ahead, count, dimensions), start=1):
            if spelled is None:
                raise EmbeddingError(f"{path} ends or is damaged at word {number:,} of {count:,}; fetch it again.")
            if (wanted is None or word in wanted) and word not in kept:
                kept[word] = _checked(numbers(spelled), word, dimensions, path)
    if not kept:
        raise EmbeddingError(
            f"{path} has none of the {len(limit_to or ()):,} words looked for; "
            "give vectors of the same language."
        )
    words = tuple(word.decode("utf-8", "replace") for word in kept)
    return Vectors(words, np.stack(list(kept.values())), f"Read from {path.name}: {count:,} words of {dimensions} dimensions.")


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
        raise EmbeddingError(
            f"{path} claims {count:,} words of {dimensions:,} dimensions; "
            f"1 word and 1 to {MAXIMUM_DIMENSIONS} dimensions are needed."
        )
    # A word, a space and the shortest spelling of its numbers.
    if count * (2 + 2 * dimensions) > largest_content(path):
        raise EmbeddingError(
            f"{path} claims {count:,} words of {dimensions} dimensions, for which it is too short; "
            "fetch it again."
        )
    return count, dimensions


def _looks_like_text(start: bytes, dimensions: int) -> bool:
    """Whether the first line is a word and its numbers, spelled out."""
    spelled = start.split(b"\n", 1)[0].split()[1:]
    return len(spelled) == dimensions and _text_numbers(b" ".join(spelled)) is not None


def _text_rows(ahead: Ahead, count: int, dimensions: int) -> Iterator[tuple[bytes, bytes | None]]:
    most = _MAXIMUM_WORD + dimensions * _MAXIMUM_NUMBER
    for _ in range(count):
        line = ahead.take_until(b"\n", most)
        if line is None:  # The last line may lack its end, but a line may not be endless.
            left = len(ahead.peek())
            line = ahead.take(left) if left < most else b""
        word, _, spelled = line.partition(b" ")
        yield word, spelled or None


def _text_numbers(spelled: bytes) -> np.ndarray | None:
    try:
        with np.errstate(over="ignore"):  # What does not fit becomes infinite, which is refused by name.
            return np.array([float(number) for number in spelled.split()]).astype(np.float32)
    except ValueError:
        return None


def _binary_rows(ahead: Ahead, count: int, dimensions: int) -> Iterator[tuple[bytes, bytes | None]]:
    for _ in range(count):
        word = ahead.take_until(b" ", _MAXIMUM_WORD)
        # Some writers end each vector with a new line, some do not.
        yield (word or b"").lstrip(b"\n"), None if word is None else ahead.take(4 * dimensions)


def _binary_numbers(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, "<f4").astype(np.float32)


def _checked(numbers: np.ndarray | None, word: bytes, dimensions: int, path: Path) -> np.ndarray:
    if numbers is None or len(numbers) != dimensions or not np.isfinite(numbers).all():
        spelled = word.decode("utf-8", "replace")[:50]
        raise EmbeddingError(
            f"The vector of '{spelled}' in {path} is not {dimensions} finite numbers; "
            "the file is damaged, fetch it again."
        )
    return numbers

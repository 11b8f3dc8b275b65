"""FastText: train skip-gram vectors of words and of their pieces, or read a pretrained file of them.

Making a table is left to `table`; composing words without FastText at run time to `subwords`.
"""

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from embeddings import fasttext_file, word2vec
from embeddings.corpus import SUBSAMPLING, check_training
from embeddings.errors import EmbeddingError
from embeddings.files import find_file
from embeddings.subwords import Pieces, Subwords, keep

SHORTEST_PIECE, LONGEST_PIECE = 3, 6
# FastText adds this word at the end of every sentence.
_END_OF_SENTENCE = "</s>"


@dataclass(frozen=True, eq=False)
class FastTextVectors:
    """FastText's input matrix: one row a word, then one row a bucket of pieces."""

    rows: Mapping[str, int]
    matrix: np.ndarray  # (words and then buckets, dimensions)
    pieces: Pieces
    frequent: Sequence[str]  # the words whose pieces matter most
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
        """A word's vector and its origin; None for a word that was never seen, nor any piece of it."""
        if word not in self.rows and (self.subwords is None or not self.subwords.known_ngrams(word)):
            return None
        own = [self.rows[word]] if word in self.rows else []
        first_bucket = len(self.matrix) - self.pieces.buckets
        vector = self.matrix[own + [first_bucket + bucket for bucket in self.pieces.rows(word)]].mean(0, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise EmbeddingError(
                f"FastText's vector of '{word}' holds numbers that are not finite; "
                "train or fetch the vectors again."
            )
        return vector, "trained" if own else "subwords"

    @cached_property
    def subwords(self) -> Subwords | None:
        """What composes words never seen; None where a file came without pieces."""
        if not self.pieces.buckets or not self.pieces.longest:
            return None
        return keep(self.pieces, self.matrix[len(self.matrix) - self.pieces.buckets :], self.frequent)


def train(
    sentences: Sequence[Sequence[str]],
    dimensions: int = 300,
    window: int = 5,
    epochs: int = 10,
    negatives: int = 10,
    minimum_count: int = 2,
    buckets: int = 20_000,
    seed: int = 1,
) -> FastTextVectors:
    """Skip-gram with negative sampling. One thread, so the same sentences and seed give the same bits."""
    import fasttext

    check_training(
        sentences, minimum_count, seed, dimensions=dimensions, window=window, epochs=epochs, negatives=negatives, buckets=buckets
    )
    settings = {"dim": dimensions, "ws": window, "epoch": epochs, "neg": negatives, "minCount": minimum_count, "bucket": buckets}
    settings |= {"minn": SHORTEST_PIECE, "maxn": LONGEST_PIECE, "t": SUBSAMPLING, "model": "skipgram", "thread": 1, "verbose": 0}
    with _text_file(sentences) as path, _seeded(seed):
        try:
            model = fasttext.train_unsupervised(str(path), **settings)
        except (RuntimeError, ValueError) as error:
            raise EmbeddingError(f"FastText could not train on the {len(sentences)} sentences: {error}") from error
    rows = {word: row for row, word in enumerate(model.get_words()) if word != _END_OF_SENTENCE}
    pieces = Pieces(buckets, SHORTEST_PIECE, LONGEST_PIECE)
    settings_used = f"window {window}, {epochs} epochs and seed {seed}"
    source = f"FastText (skip-gram), trained on {len(sentences):,} sentences with {settings_used}."
    return FastTextVectors(rows, np.array(model.get_input_matrix()), pieces, tuple(rows), source)


def read(path: str | Path, limit_to: Collection[str] | None = None) -> FastTextVectors:
    """Read a fastText model (.bin), or a .vec file, which has no pieces. Words outside `limit_to` count as never seen."""
    path = find_file(path)
    if not fasttext_file.is_model(path):
        vectors = word2vec.read(path, limit_to)
        rows = {word: row for row, word in enumerate(vectors.words)}
        return FastTextVectors(rows, vectors.matrix, Pieces(0, SHORTEST_PIECE, LONGEST_PIECE), (), vectors.source)
    model = fasttext_file.read(path, limit_to)
    rows = {word: row for word, row in model.rows.items() if word != _END_OF_SENTENCE}
    source = f"Read from {path.name}: {model.count:,} words of {model.matrix.shape[1]} dimensions, with their pieces."
    return FastTextVectors(rows, model.matrix, model.pieces, model.frequent, source)


@contextmanager
def _text_file(sentences: Sequence[Sequence[str]]) -> Iterator[Path]:
    """FastText reads its text from a file and from nowhere else; where the system has them, from one in memory alone, of which
    nothing stays when the process is killed."""
    with ExitStack() as stack:
        if hasattr(os, "memfd_create"):
            stream = stack.enter_context(open(os.memfd_create("sentences"), "w", encoding="utf-8", newline="\n"))
            path = Path(f"/proc/self/fd/{stream.fileno()}")
        else:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "sentences.txt"
            stream = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        stream.writelines(" ".join(sentence) + "\n" for sentence in sentences if sentence)
        stream.flush()
        yield path


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # The compiled FastText takes a seed, but its Python wrapper passes on only the one among its defaults.
    import fasttext

    defaults = fasttext.FastText.unsupervised_default
    before = defaults["seed"]
    defaults["seed"] = seed
    try:
        yield
    finally:
        defaults["seed"] = before

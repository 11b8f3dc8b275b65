"""FastText: train skip-gram vectors of words and character n-grams, or read a pretrained file of them.

`table` turns the vectors into a table; `fasttext_file` reads fastText's own format.
"""

import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from embeddings import fasttext_file, word2vec
from embeddings.corpus import SUBSAMPLING, SkipGram
from embeddings.errors import EmbeddingError
from embeddings.fasttext_file import END_OF_SENTENCE, FastTextVectors
from embeddings.files import find_file
from embeddings.subwords import Pieces

SHORTEST_PIECE, LONGEST_PIECE = 3, 6


def train(sentences: Sequence[Sequence[str]], settings: SkipGram = SkipGram()) -> FastTextVectors:
    """Train on one thread, so that the same sentences and seed give the same bits."""
    import fasttext

    settings.check(sentences)
    pieces = Pieces(settings.buckets, SHORTEST_PIECE, LONGEST_PIECE)
    with _text_file(sentences) as path, _seeded(settings.seed):
        try:
            model = fasttext.train_unsupervised(
                str(path),
                model="skipgram",
                dim=settings.dimensions,
                ws=settings.window,
                epoch=settings.epochs,
                neg=settings.negatives,
                minCount=settings.minimum_count,
                bucket=pieces.buckets,
                minn=pieces.shortest,
                maxn=pieces.longest,
                t=SUBSAMPLING,
                thread=1,
                verbose=0,
            )
        except (RuntimeError, ValueError) as error:
            raise EmbeddingError(f"FastText could not train on the {len(sentences)} sentences: {error}") from error
    rows = {word: row for row, word in enumerate(model.get_words()) if word != END_OF_SENTENCE}
    source = settings.source("FastText", sentences)
    return FastTextVectors(rows, np.array(model.get_input_matrix()), source, pieces, tuple(rows))


def read(path: str | Path, limit_to: Collection[str] | None = None) -> FastTextVectors:
    """Read a fastText model (.bin), or a .vec file, which has no n-grams. Words outside `limit_to` count as unseen."""
    path = find_file(path)
    if fasttext_file.is_model(path):
        return fasttext_file.read(path, limit_to)
    found = word2vec.read(path, limit_to)
    return FastTextVectors(found.rows, found.matrix, found.source, Pieces(0, SHORTEST_PIECE, LONGEST_PIECE), ())


@contextmanager
def _text_file(sentences: Sequence[Sequence[str]]) -> Iterator[Path]:
    """The sentences as a file, since FastText reads nothing else; in memory where the system allows it, so that a killed
    process leaves nothing behind."""
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
    # The compiled FastText takes a seed, but its Python wrapper passes on only the one in its defaults.
    import fasttext

    defaults = fasttext.FastText.unsupervised_default
    before = defaults["seed"]
    defaults["seed"] = seed
    try:
        yield
    finally:
        defaults["seed"] = before

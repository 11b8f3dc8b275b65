"""Small tables of vectors that are given by hand."""

from collections.abc import Sequence

import numpy as np

from embeddings.table import EmbeddingTable


def learned(vectors, words: Sequence[str] | None = None) -> EmbeddingTable:
    words = words or [f"word{row}" for row in range(len(vectors))]
    return EmbeddingTable(tuple(words), np.asarray(vectors, float), ("learned",) * len(words), "Learned.")

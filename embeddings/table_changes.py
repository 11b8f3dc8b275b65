"""Changes of a table: the same words with other rows, to show what a decoder makes of them.

The rows of special words, padding among them, stay. Captions with a changed table are left to the caller.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.explore import nearest_rows, unit
from embeddings.table import EmbeddingTable, is_special

_TABLES = 8  # whose directions and neighbours are kept in memory: three decoders at two stages, and two to spare


def squeezed(table: EmbeddingTable, k: int) -> EmbeddingTable:
    """Keep the `k` widest directions of the words' rows, their principal components, around their mean."""
    if not 1 <= k <= table.dimensions:
        raise EmbeddingError(f"A table of {table.dimensions} dimensions can keep 1 to {table.dimensions} of them, not {k}.")
    found = _components(table)
    rows = found.scores[:, :k] @ found.directions[:k] + found.mean
    return _changed(table, rows, f"Squeezed into {k} of {table.dimensions} dimensions.")


def swapped(table: EmbeddingTable, other: EmbeddingTable) -> EmbeddingTable:
    """Turn each word's row into the direction of its row in `other`, at the length that it has in `table`.

    So only the directions differ. Words that `other` lacks keep their rows.
    """
    if other.dimensions != table.dimensions:
        raise EmbeddingError(f"A table of {table.dimensions} dimensions is needed, not of {other.dimensions}; use equal ones.")
    rows = table.vectors[_word_rows(table)]
    words = [word for word in table.words if not is_special(word)]
    shared = [place for place, word in enumerate(words) if word in other]
    directions = unit(other.vectors[[other.row(words[place]) for place in shared]])
    rows[shared] = directions * np.linalg.norm(rows[shared], axis=1, keepdims=True)
    return _changed(table, rows, f"Directions from another table: {other.source}")


def shuffled(table: EmbeddingTable, seed: int) -> EmbeddingTable:
    """Deal the words' rows to other words; no word keeps its own."""
    order = np.random.default_rng(seed).permutation(_word_rows(table))
    rows = table.vectors.copy()
    rows[order] = table.vectors[np.roll(order, 1)]
    return _changed(table, rows[_word_rows(table)], f"Shuffled among the words with seed {seed}.")


def random_rows(table: EmbeddingTable, seed: int) -> EmbeddingTable:
    """Draw each word's row at random, with the mean and the standard deviation that the words' rows have in each dimension."""
    rows = table.vectors[_word_rows(table)]
    drawn = np.random.default_rng(seed).standard_normal(rows.shape, np.float32)
    return _changed(table, rows.mean(axis=0) + rows.std(axis=0) * drawn, f"Replaced by random rows with seed {seed}.")


def neighbour_rows(table: EmbeddingTable) -> EmbeddingTable:
    """Give each word the row of its nearest neighbour by cosine."""
    rows = table.vectors[[table.row(word) for word in nearest_words(table).values()]]
    return _changed(table, rows, "Each word has the row of its nearest neighbour.")


@lru_cache(_TABLES)
def nearest_words(table: EmbeddingTable) -> Mapping[str, str]:
    """The nearest neighbour by cosine of each word, which is another word."""
    words = [word for word in table.words if not is_special(word)]
    if len(words) < 2:
        raise EmbeddingError(f"Neighbours need two words, but the table has {len(words)}; use a larger table.")
    return {word: words[row[0]] for word, row in zip(words, nearest_rows(table, words, 1), strict=True)}


class _Components(NamedTuple):
    """The principal components of the words' rows, widest first: row = mean + scores @ directions."""

    mean: np.ndarray  # (dimensions,)
    scores: np.ndarray  # (words, dimensions)
    directions: np.ndarray  # (dimensions, dimensions)


@lru_cache(_TABLES)
def _components(table: EmbeddingTable) -> _Components:
    rows = table.vectors[_word_rows(table)]
    mean = rows.mean(axis=0)
    centred = rows - mean
    # The same directions as a singular value decomposition of the rows, in a sixth of its time.
    _, ascending = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    directions = ascending.T[::-1].astype(np.float32)
    return _Components(mean, centred @ directions.T, directions)


@lru_cache(_TABLES)
def _word_rows(table: EmbeddingTable) -> np.ndarray:
    """The rows of all words but special ones."""
    rows = np.flatnonzero([not is_special(word) for word in table.words])
    if not rows.size:
        raise EmbeddingError("The table has special words only, so nothing in it can be changed; use a table of words.")
    return rows


def _changed(table: EmbeddingTable, rows: np.ndarray, change: str) -> EmbeddingTable:
    """The table with other rows of its words."""
    vectors = table.vectors.copy()
    vectors[_word_rows(table)] = rows
    return replace(table, vectors=vectors, source=f"{table.source} {change}")

"""Queries to a table of vectors: neighbours, analogies, and the agreement of two tables.

They work for any `EmbeddingTable`, including a learned one; `maps` makes 2-D maps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.subwords import Subwords
from embeddings.table import EmbeddingTable, is_special

Neighbours = list[tuple[str, float]]
MAXIMUM_LETTERS = 80
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Answer:
    """A table's answer about a word: its neighbours, or in `message` why it has none."""

    known: bool
    origin: str | None
    neighbours: Neighbours
    message: str


def checked_word(text: str) -> str:
    """Typed text as one lower-case word, as tables store it."""
    word = text.strip().lower()
    if len(word.split()) != 1 or not word.isprintable():
        raise EmbeddingError(f"One word is needed, but {text[:MAXIMUM_LETTERS]!r} was given; write a word without spaces.")
    if len(word) > MAXIMUM_LETTERS:
        raise EmbeddingError(f"A word may have {MAXIMUM_LETTERS} letters, but {len(word):,} were given; write a shorter one.")
    return word


def neighbours(table: EmbeddingTable, word: str | np.ndarray, k: int = 10) -> Neighbours:
    """The words with the largest cosine to a word or a vector, nearest first; never special words or random rows."""
    if isinstance(word, str):
        return _nearest(table, meaning(table, word), k, {word})
    if np.shape(word) != (table.dimensions,) or not np.isfinite(word).all():
        raise EmbeddingError(f"A vector of {table.dimensions} finite numbers is needed, but got one of shape {np.shape(word)}.")
    return _nearest(table, word, k, set())


def ask(title: str, table: EmbeddingTable, word: str, k: int = 10, subwords: Subwords | None = None) -> Answer:
    """Query a table about any word; `subwords` composes a word that the table lacks from its n-grams."""
    if has_meaning(table, word):
        return Answer(True, table.origin(word), neighbours(table, word, k), "")
    if word in table:
        return Answer(False, table.origin(word), [], f"{title} has no meaning for '{word}': its row is a {_kind(table, word)}.")
    if subwords is None:
        message = f"{title} does not know '{word}': it has vectors for the words of its vocabulary and for no other."
        return Answer(False, None, [], message)
    known, pieces = subwords.known_ngrams(word), subwords.ngrams(word)
    if not known:
        return Answer(False, None, [], f"{title} does not know '{word}', nor any of the pieces that it would compose it of.")
    longest = ", ".join(sorted(known, key=len, reverse=True)[:8])
    message = (
        f"{title} never saw '{word}' and composes it of its pieces, of which it knows {len(known)} of {len(pieces)}, "
        f"such as {longest}."
    )
    return Answer(True, "subwords", neighbours(table, subwords.vector(word), k), message)


def analogy(table: EmbeddingTable, a: str, b: str, c: str, k: int = 10, subwords: Subwords | None = None) -> Neighbours:
    """The words nearest to b - a + c, except the three; `subwords` composes any of them that the table lacks."""
    from_a, from_b, from_c = (
        unit(subwords.vector(word) if subwords and word not in table else meaning(table, word)) for word in (a, b, c)
    )
    return _nearest(table, from_b - from_a + from_c, k, {a, b, c})


def overlap(table_a: EmbeddingTable, table_b: EmbeddingTable, k: int = 10) -> list[tuple[str, float]]:
    """Each word that both tables know, with the share of its k nearest that they agree on, highest first.

    Words with equal shares keep the first table's order.
    """
    words = common_words([table_a, table_b])
    k = min(positive(k), len(words) - 1)
    if k < 1:
        raise EmbeddingError("The two tables have fewer than two words in common; compare tables of one vocabulary.")
    pairs = zip(nearest_rows(table_a, words, k), nearest_rows(table_b, words, k), strict=True)
    shares = [len(set(rows_a) & set(rows_b)) / k for rows_a, rows_b in pairs]
    return sorted(zip(words, shares, strict=True), key=lambda pair: -pair[1])


def common_words(tables: Sequence[EmbeddingTable], count: int | None = None) -> list[str]:
    """The first words that have a meaning in every table, in the first table's order: commonest first."""
    first, *others = tables
    known = [set(_meaningful(table)) for table in others]
    return [word for word in _meaningful(first) if all(word in words for words in known)][:count]


def has_meaning(table: EmbeddingTable, word: str) -> bool:
    """Whether the table has a real vector for a word, not a special word's row or a random stand-in."""
    return word in table and not is_special(word) and table.origin(word) not in ("special", "missing")


def _meaningful(table: EmbeddingTable) -> list[str]:
    return [word for word in table.words if has_meaning(table, word)]


def meaning(table: EmbeddingTable, word: str) -> np.ndarray:
    """A word's vector; an error if it has no meaning."""
    vector = table.vector(word)
    if not has_meaning(table, word):
        raise EmbeddingError(f"'{word}' has no neighbours: its row is a {_kind(table, word)}; ask for another word.")
    return vector


def _kind(table: EmbeddingTable, word: str) -> str:
    return "random stand-in" if table.origin(word) == "missing" else "special word's"


def _nearest(table: EmbeddingTable, vector: np.ndarray, k: int, without: set[str]) -> Neighbours:
    words = [word for word in _meaningful(table) if word not in without]
    cosines = unit(table.vectors[[table.row(word) for word in words]]) @ unit(vector)  # (words,)
    order = np.argsort(-cosines, kind="stable")[: positive(k)]
    return [(words[place], float(cosines[place])) for place in order]


def nearest_rows(table: EmbeddingTable, words: Sequence[str], k: int) -> Iterator[np.ndarray]:
    """For each of these words, the places among them of its k nearest others by cosine, in no order."""
    units = unit(table.vectors[[table.row(word) for word in words]])  # (words, dimensions)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        cosines = units[start : start + _ROWS_AT_ONCE] @ units.T  # (some words, words)
        np.fill_diagonal(cosines[:, start:], -np.inf)
        yield from cosines.argmax(axis=1)[:, None] if k == 1 else np.argpartition(-cosines, k - 1, axis=1)[:, :k]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors scaled to length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def positive(k: int) -> int:
    """The number of neighbours, checked."""
    if k < 1:
        raise EmbeddingError(f"The number of neighbours must be 1 or more, but is {k}.")
    return k

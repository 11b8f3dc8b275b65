"""Looking into a table of vectors: neighbours, analogies, what two tables agree on.

Works over any `EmbeddingTable`, also one that a decoder learned; 2-D maps are left to `maps`, drawing and printing to others.
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
    """What a table says about a word: its neighbours, or in `message` why it has none."""

    known: bool
    origin: str | None
    neighbours: Neighbours
    message: str


def checked_word(text: str) -> str:
    """What somebody typed as the one word it should be, in the small letters that tables have."""
    word = text.strip().lower()
    if len(word.split()) != 1 or not word.isprintable():
        raise EmbeddingError(f"One word is needed, but {text[:MAXIMUM_LETTERS]!r} was given; write a word without spaces.")
    if len(word) > MAXIMUM_LETTERS:
        raise EmbeddingError(f"A word may have {MAXIMUM_LETTERS} letters, but {len(word):,} were given; write a shorter one.")
    return word


def neighbours(table: EmbeddingTable, word: str | np.ndarray, k: int = 10) -> Neighbours:
    """The words whose vectors point most nearly the same way, with their cosines, nearest first.

    A vector may be asked about in place of a word. Special words and random rows are never an answer.
    """
    if isinstance(word, str):
        return _nearest(table, meaning(table, word), k, {word})
    if np.shape(word) != (table.dimensions,) or not np.isfinite(word).all():
        raise EmbeddingError(
            f"A vector of {table.dimensions} finite numbers is needed here, "
            f"but one of shape {np.shape(word)} was given."
        )
    return _nearest(table, word, k, set())


def ask(title: str, table: EmbeddingTable, word: str, k: int = 10, subwords: Subwords | None = None) -> Answer:
    """Ask a table of that title about any word; with `subwords` a word that it lacks is composed of its pieces."""
    if has_meaning(table, word):
        return Answer(True, table.origin(word), neighbours(table, word, k), "")
    if word in table:
        return Answer(False, table.origin(word), [], f"{title} has no meaning for '{word}': its row is a {_kind(table, word)}.")
    if subwords is None:
        return Answer(
            known=False,
            origin=None,
            neighbours=[],
            message=f"{title} does not know '{word}': it has vectors for the words of its vocabulary and for no other.",
        )
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
    """What is to `c` as `b` is to `a`: the words nearest to b - a + c, the three themselves left out.

    With `subwords` those of the three that the table lacks are composed of their pieces.
    """
    from_a, from_b, from_c = (
        unit(subwords.vector(word) if subwords and word not in table else meaning(table, word)) for word in (a, b, c)
    )
    return _nearest(table, from_b - from_a + from_c, k, {a, b, c})


def overlap(table_a: EmbeddingTable, table_b: EmbeddingTable, k: int = 10) -> list[tuple[str, float]]:
    """The words that both tables know, with the share of their k nearest that the tables agree on, highest first.

    Words of one share keep the first table's order.
    """
    words = common_words([table_a, table_b])
    k = min(positive(k), len(words) - 1)
    if k < 1:
        raise EmbeddingError(
            "The two tables have fewer than two words in common, so there is nothing to compare; "
            "give tables of one vocabulary."
        )
    pairs = zip(_nearest_rows(table_a, words, k), _nearest_rows(table_b, words, k), strict=True)
    shares = [len(set(rows_a) & set(rows_b)) / k for rows_a, rows_b in pairs]
    return sorted(zip(words, shares, strict=True), key=lambda pair: -pair[1])


def common_words(tables: Sequence[EmbeddingTable], count: int | None = None) -> list[str]:
    """The first words that mean something in every table, in the first one's order: that of a vocabulary, commonest first."""
    first, *others = tables
    known = [set(_meaningful(table)) for table in others]
    return [word for word in _meaningful(first) if all(word in words for words in known)][:count]


def has_meaning(table: EmbeddingTable, word: str) -> bool:
    """Whether the table's row for a word is more than a random one that stands in for a vector."""
    return word in table and not is_special(word) and table.origin(word) not in ("special", "missing")


def _meaningful(table: EmbeddingTable) -> list[str]:
    return [word for word in table.words if has_meaning(table, word)]


def meaning(table: EmbeddingTable, word: str) -> np.ndarray:
    """A word's vector, if it is more than a random one."""
    vector = table.vector(word)
    if not has_meaning(table, word):
        raise EmbeddingError(
            f"The table's row for '{word}' is a {_kind(table, word)}, so it has no neighbours; "
            "ask for another word."
        )
    return vector


def _kind(table: EmbeddingTable, word: str) -> str:
    return "random stand-in" if table.origin(word) == "missing" else "special word's"


def _nearest(table: EmbeddingTable, vector: np.ndarray, k: int, without: set[str]) -> Neighbours:
    words = [word for word in _meaningful(table) if word not in without]
    cosines = unit(table.vectors[[table.row(word) for word in words]]) @ unit(vector)  # (words,)
    order = np.argsort(-cosines, kind="stable")[: positive(k)]
    return [(words[place], float(cosines[place])) for place in order]


def _nearest_rows(table: EmbeddingTable, words: list[str], k: int) -> Iterator[np.ndarray]:
    units = unit(table.vectors[[table.row(word) for word in words]])  # (words, dimensions)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        cosines = units[start : start + _ROWS_AT_ONCE] @ units.T  # (some words, words)
        np.fill_diagonal(cosines[:, start:], -np.inf)
        yield from np.argpartition(-cosines, k - 1, axis=1)[:, :k]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions at length 1; nothing stays nothing."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def positive(k: int) -> int:
    """A number of neighbours, once it is one."""
    if k < 1:
        raise EmbeddingError(f"The number of neighbours must be 1 or more, but is {k}.")
    return k

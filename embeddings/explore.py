"""Looking into a table of vectors: neighbours, analogies, what two tables agree on, a 2-D map, coverage.

Works over any `EmbeddingTable`, also one that a decoder learned; drawing and printing are left to others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.subwords import Subwords
from embeddings.table import EmbeddingTable, is_special

Neighbours = list[tuple[str, float]]
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Answer:
    """What a table says about a word: its neighbours, or in `message` why it has none."""

    known: bool
    origin: str | None
    neighbours: Neighbours
    message: str


@dataclass(frozen=True, eq=False)
class WordMap:
    """Words on a plane. `explained` is the share of the vectors' variance that each of the two axes shows."""

    words: tuple[str, ...]
    positions: np.ndarray  # (words, 2)
    explained: tuple[float, float]


def neighbours(table: EmbeddingTable, word: str | np.ndarray, k: int = 10) -> Neighbours:
    """The words whose vectors point most nearly the same way, with their cosines, nearest first.

    A vector may be asked about in place of a word. Special words and random rows are never an answer.
    """
    if isinstance(word, str):
        return _nearest(table, _vector(table, word), k, {word})
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


def analogy(table: EmbeddingTable, a: str, b: str, c: str, k: int = 10) -> Neighbours:
    """What is to `c` as `b` is to `a`: the words nearest to b - a + c, the three themselves left out."""
    direction = _unit(_vector(table, b)) - _unit(_vector(table, a)) + _unit(_vector(table, c))
    return _nearest(table, direction, k, {a, b, c})


def overlap(table_a: EmbeddingTable, table_b: EmbeddingTable, k: int = 10) -> list[tuple[str, float]]:
    """The words that both tables know, with the share of their k nearest that the tables agree on, highest first."""
    in_b = set(_meaningful(table_b))
    words = [word for word in _meaningful(table_a) if word in in_b]
    k = min(_positive(k), len(words) - 1)
    if k < 1:
        raise EmbeddingError(
            "The two tables have fewer than two words in common, so there is nothing to compare; "
            "give tables of one vocabulary."
        )
    pairs = zip(_nearest_rows(table_a, words, k), _nearest_rows(table_b, words, k), strict=True)
    shares = [len(set(rows_a) & set(rows_b)) / k for rows_a, rows_b in pairs]
    return sorted(zip(words, shares, strict=True), key=lambda pair: (-pair[1], pair[0]))


def map_2d(table: EmbeddingTable, words: Sequence[str], method: str = "pca") -> WordMap:
    """Lay words out on a plane, along the two directions in which their vectors differ most."""
    if method != "pca":
        raise EmbeddingError(f"There is no map '{method}'; choose pca.")
    if len(words) < 3:
        raise EmbeddingError(f"A map needs 3 words or more, but {len(words)} were given.")
    vectors = np.array([_vector(table, word) for word in words], np.float64)  # (words, dimensions)
    centred = vectors - vectors.mean(0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    axes = np.zeros((len(words), 2))
    shown = min(2, len(sizes))
    # An axis has no sign of its own; the largest entry is made positive so that the same table gives the same map.
    signs = np.sign(right[np.arange(shown), np.abs(right[:shown]).argmax(1)])
    axes[:, :shown] = left[:, :shown] * sizes[:shown] * signs
    shares = np.append(sizes**2 / max(float((sizes**2).sum()), 1e-30), 0.0)
    return WordMap(tuple(words), axes, (float(shares[0]), float(shares[1])))


def coverage_report(table: EmbeddingTable) -> str:
    """One sentence: how many words there are and where their rows came from."""
    meanings = {
        "trained": "with vectors of their own",
        "subwords": "composed of pieces of words",
        "special": "special",
        "missing": "missing from the source and random",
        "learned": "learned with the decoder",
    }
    parts = [f"{count:,} {meanings[origin]}" for origin, count in table.coverage().items() if count]
    return f"{len(table):,} words: {', '.join(parts)}."


def has_meaning(table: EmbeddingTable, word: str) -> bool:
    """Whether the table's row for a word is more than a random one that stands in for a vector."""
    return word in table and not is_special(word) and table.origin(word) not in ("special", "missing")


def _meaningful(table: EmbeddingTable) -> list[str]:
    return [word for word in table.words if has_meaning(table, word)]


def _vector(table: EmbeddingTable, word: str) -> np.ndarray:
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
    cosines = _unit(table.vectors[[table.row(word) for word in words]]) @ _unit(vector)  # (words,)
    order = np.argsort(-cosines, kind="stable")[: _positive(k)]
    return [(words[place], float(cosines[place])) for place in order]


def _nearest_rows(table: EmbeddingTable, words: list[str], k: int) -> Iterator[np.ndarray]:
    units = _unit(table.vectors[[table.row(word) for word in words]])  # (words, dimensions)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        cosines = units[start : start + _ROWS_AT_ONCE] @ units.T  # (some words, words)
        np.fill_diagonal(cosines[:, start:], -np.inf)
        yield from np.argpartition(-cosines, k - 1, axis=1)[:, :k]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _positive(k: int) -> int:
    if k < 1:
        raise EmbeddingError(f"The number of neighbours must be 1 or more, but is {k}.")
    return k

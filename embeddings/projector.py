"""Tables and maps as tab-separated text for the TensorFlow Embedding Projector and for spreadsheets.

The projector expects the vectors without a header, and the words in the same order with one.
"""

from collections.abc import Iterable, Mapping

from embeddings.explore import common_words
from embeddings.kinds import kind
from embeddings.maps import WordMap
from embeddings.table import EmbeddingTable

_DIGITS = 5


def vectors_tsv(table: EmbeddingTable) -> str:
    """One vector a line, for the words that have a meaning; five digits hold every 16-bit number."""
    rows = (table.vector(word) for word in common_words([table]))
    return _lines([f"{number:.{_DIGITS}g}" for number in row] for row in rows)


def metadata_tsv(table: EmbeddingTable) -> str:
    """For each line of `vectors_tsv`: the word, its kind, its row in the vocabulary, and the origin of its vector."""
    rows = ([word, kind(word), str(table.row(word)), table.origin(word)] for word in common_words([table]))
    return _lines([["word", "kind", "row", "origin"], *rows])


def coordinates_tsv(maps: Mapping[tuple[str, str], WordMap]) -> str:
    """The position of every word on every map; a map is named by its table and its method."""
    rows = (
        [table, method, word, kind(word), *(f"{number:.{_DIGITS}g}" for number in point)]
        for (table, method), drawn in maps.items()
        for word, point in zip(drawn.words, drawn.positions, strict=True)
    )
    return _lines([["table", "method", "word", "kind", "x", "y"], *rows])


def _lines(rows: Iterable[Iterable[str]]) -> str:
    # A word of a foreign table may contain a tab or a newline, which would break its row.
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)

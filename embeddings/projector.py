"""Tables and maps as the tab-separated text that the TensorFlow Embedding Projector and spreadsheets read.

The projector wants the vectors without a header and the words, in the same order, with one.
"""

from collections.abc import Iterable, Mapping

from embeddings.explore import common_words
from embeddings.kinds import kind
from embeddings.maps import WordMap
from embeddings.table import EmbeddingTable

_FIGURES = 5


def vectors_tsv(table: EmbeddingTable) -> str:
    """One vector a line, of the words that mean something; a 16-bit number has no more figures than are written."""
    rows = (table.vector(word) for word in common_words([table]))
    return _lines([f"{number:.{_FIGURES}g}" for number in row] for row in rows)


def metadata_tsv(table: EmbeddingTable) -> str:
    """What each line of `vectors_tsv` is: the word, its kind, its place in the vocabulary, and where its row came from."""
    rows = ([word, kind(word), str(table.row(word)), table.origin(word)] for word in common_words([table]))
    return _lines([["word", "kind", "row", "origin"], *rows])


def coordinates_tsv(maps: Mapping[tuple[str, str], WordMap]) -> str:
    """Where every word lies on every map; a map is named by its table and its method."""
    rows = (
        [table, method, word, kind(word), *(f"{number:.{_FIGURES}g}" for number in point)]
        for (table, method), drawn in maps.items()
        for word, point in zip(drawn.words, drawn.positions, strict=True)
    )
    return _lines([["table", "method", "word", "kind", "x", "y"], *rows])


def _lines(rows: Iterable[Iterable[str]]) -> str:
    # A word of a strange table may hold a tab or the end of a line, which would tear its row apart.
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)

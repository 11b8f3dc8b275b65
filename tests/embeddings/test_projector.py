"""Tables and maps as tab-separated text, read back with the standard library."""

import csv
import io

import numpy as np

from embeddings.maps import WordMap
from embeddings.projector import coordinates_tsv, metadata_tsv, vectors_tsv
from embeddings.table import EmbeddingTable

WORDS = ("<pad>", "dog", "a\tb", "noise", "red")
TABLE = EmbeddingTable(
    WORDS,
    np.array([[0, 0], [0.1, -2], [1 / 3, 4e-5], [9, 9], [5, 6]], np.float16),
    ("special", "trained", "subwords", "missing", "trained"),
    "By hand.",
)


def rows(text: str) -> list[list[str]]:
    assert text.endswith("\n")
    return list(csv.reader(io.StringIO(text), delimiter="\t"))


def test_vectors_have_no_header_and_lose_nothing():
    read = np.array(rows(vectors_tsv(TABLE)), float)
    assert np.array_equal(read.astype(np.float16), TABLE.vectors[[1, 2, 4]].astype(np.float16))


def test_metadata_has_a_header_and_a_row_for_each_vector():
    head, *body = rows(metadata_tsv(TABLE))
    assert head == ["word", "kind", "row", "origin"]
    assert body == [["dog", "animals", "1", "trained"], ["a b", "other", "2", "subwords"], ["red", "colours", "4", "trained"]]


def test_coordinates_name_the_map():
    drawn = WordMap(("dog", "red"), np.array([[1.5, -2], [0.25, 1 / 3]]), None)
    head, *body = rows(coordinates_tsv({("Learned", "PCA"): drawn, ("FastText", "t-SNE"): drawn}))
    assert head == ["table", "method", "word", "kind", "x", "y"] and len(body) == 4
    assert body[1] == ["Learned", "PCA", "red", "colours", "0.25", "0.33333"] and body[2][:3] == ["FastText", "t-SNE", "dog"]

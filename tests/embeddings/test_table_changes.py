"""Changes of a table, against answers worked out by hand and against NumPy."""

import numpy as np
import pytest

from embeddings.errors import EmbeddingError
from embeddings.explore import neighbours
from embeddings.table import is_special
from embeddings.table_changes import nearest_words, neighbour_rows, random_rows, shuffled, squeezed, swapped
from support.vectors import learned

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
WORDS = (*SPECIAL, *(f"word{number}" for number in range(12)))
CHANGES = {
    "squeezed": lambda table: squeezed(table, 2),
    "swapped": lambda table: swapped(table, make(9)),
    "shuffled": lambda table: shuffled(table, 1),
    "random_rows": lambda table: random_rows(table, 1),
    "neighbour_rows": neighbour_rows,
}


def make(seed, words=WORDS, dimensions=5):
    random = np.random.default_rng(seed)
    rows = random.normal(0.5, 1, (len(words), dimensions)) * random.uniform(0.5, 2, (len(words), 1))
    rows[0] = 0
    return learned(rows, words)


@pytest.fixture
def table():
    return make(3)


def rows_of_words(table):
    return table.vectors[[not is_special(word) for word in table.words]]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_keeps_the_words_the_special_rows_and_the_table_itself(table, change):
    before = table.vectors.copy()
    changed = change(table)
    assert changed.words == table.words and changed.origins == table.origins and changed.source != table.source
    np.testing.assert_array_equal(changed.vectors[: len(SPECIAL)], before[: len(SPECIAL)])
    np.testing.assert_array_equal(table.vectors, before)
    assert not np.isclose(rows_of_words(changed), rows_of_words(table)).all(axis=1).any()
    np.testing.assert_array_equal(change(table).vectors, changed.vectors)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_table_without_words_is_refused(change):
    with pytest.raises(EmbeddingError, match="words"):
        change(make(3, SPECIAL))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_squeezed_rows_are_those_of_a_singular_value_decomposition(table, k):
    rows, found = rows_of_words(table).astype(float), rows_of_words(squeezed(table, k))
    mean = rows.mean(axis=0)
    left, widths, directions = np.linalg.svd(rows - mean, full_matrices=False)
    np.testing.assert_allclose(found, mean + (left[:, :k] * widths[:k]) @ directions[:k], atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=1e-5)
    assert np.linalg.matrix_rank(found - mean, tol=1e-4) == k


def test_all_directions_together_are_the_table(table):
    np.testing.assert_allclose(squeezed(table, table.dimensions).vectors, table.vectors, atol=1e-5)
    for k in (0, 6):
        with pytest.raises(EmbeddingError, match=f"can keep 1 to 5 of them, not {k}"):
            squeezed(table, k)


def test_swapped_rows_have_the_directions_of_the_other_table_and_their_own_lengths():
    own = learned([[0, 0], [3, 4], [1, 0], [0, 2]], ["<pad>", "red", "blue", "zebra"])
    other = learned([[0, 0], [9, 9], [0, 0.1], [-7, 0]], ["<pad>", "green", "red", "blue"])
    np.testing.assert_allclose(swapped(own, other).vectors, [[0, 0], [0, 5], [-1, 0], [0, 2]], atol=1e-6)
    with pytest.raises(EmbeddingError, match="2 dimensions is needed, not of 5"):
        swapped(own, make(1))


def test_shuffled_rows_are_dealt_to_other_words(table):
    dealt = rows_of_words(shuffled(table, 7))
    assert sorted(map(tuple, dealt)) == sorted(map(tuple, rows_of_words(table)))
    assert not (dealt == rows_of_words(table)).all(axis=1).any()
    assert (dealt != rows_of_words(shuffled(table, 8))).any()


def test_random_rows_have_the_tables_mean_and_deviation_in_each_dimension():
    table = make(5, (*SPECIAL, *(f"word{number}" for number in range(20_000))), 3)
    own, drawn = rows_of_words(table), rows_of_words(random_rows(table, 2))
    np.testing.assert_allclose(drawn.mean(axis=0), own.mean(axis=0), atol=0.04)
    np.testing.assert_allclose(drawn.std(axis=0), own.std(axis=0), rtol=0.03)
    assert np.abs(np.corrcoef(own.ravel(), drawn.ravel())[0, 1]) < 0.02


def test_each_word_has_the_row_of_its_nearest_neighbour():
    rows = {"<pad>": [0, 0], "<start>": [1, 0.05], "red": [1, 0], "rose": [3, 0.3], "blue": [0, 1], "navy": [0.4, 3]}
    table = learned(list(rows.values()), list(rows))
    assert nearest_words(table) == {"red": "rose", "rose": "red", "blue": "navy", "navy": "blue"}
    expected = [rows[word] for word in ("<pad>", "<start>", "rose", "red", "navy", "blue")]
    np.testing.assert_allclose(neighbour_rows(table).vectors, expected, atol=1e-6)
    with pytest.raises(EmbeddingError, match="need two words, but the table has 1"):
        nearest_words(learned([[0], [1]], ["<pad>", "red"]))


def test_nearest_words_are_those_of_the_neighbour_lists():
    table = make(4, (*SPECIAL, *(f"word{number}" for number in range(1100))))
    found = nearest_words(table)
    assert len(found) == 1100 and all(found[word] == neighbours(table, word, 1)[0][0] for word in list(found)[::50])

"""Queries to small tables, against answers worked out by hand and against NumPy."""

import numpy as np
import pytest

from embeddings import explore
from embeddings.errors import EmbeddingError
from embeddings.explore import MAXIMUM_LETTERS, analogy, ask, checked_word, common_words, neighbours, overlap
from embeddings.subwords import Pieces, keep
from embeddings.table import EmbeddingTable, Placement, build_table
from support.vectors import learned

ROWS = {
    "<pad>": ([0, 0, 0], "special"),
    "<start>": ([1, 0, 0], "special"),
    "king": ([2, 1, 0], "trained"),
    "queen": ([2, -1, 0], "trained"),
    "man": ([0.1, 1, 0], "trained"),
    "woman": ([0.1, -1, 0], "subwords"),
    "stone": ([0, 0, 5], "trained"),
    "noise": ([2, 1, 0.1], "missing"),
}
THREE_FOUR = 0.6  # The cosine of (2, 1, 0) and (2, -1, 0): (4 - 1) / 5.


@pytest.fixture
def table():
    words, rows = tuple(ROWS), list(ROWS.values())
    return EmbeddingTable(words, np.array([row for row, _ in rows], float), tuple(origin for _, origin in rows), "By hand.")


def test_neighbours_are_ordered_by_cosine_without_special_and_random_rows(table):
    found = neighbours(table, "king", 10)
    assert [word for word, _ in found] == ["queen", "man", "stone", "woman"]
    assert found[0][1] == pytest.approx(THREE_FOUR)
    assert neighbours(table, "king", 1) == found[:1]
    assert neighbours(table, np.array([0, 0, 0.01]), 1) == [("stone", pytest.approx(1.0))]
    other = learned([[0, 0], [1, 0], [1, 0.1], [0, 1]], ["<pad>", "<start>", "red", "blue"])
    assert [word for word, _ in neighbours(other, "red")] == ["blue"]


@pytest.mark.parametrize(
    ("word", "k", "message"),
    [
        ("wolf", 3, "does not know 'wolf'"),
        ("noise", 3, "'noise' .* random stand-in"),
        ("<start>", 3, "'<start>' .* special word's"),
        ("king", 0, "must be 1 or more, but is 0"),
        (np.ones(4), 3, r"3 finite numbers .* shape \(4,\)"),
        (np.array([np.nan, 1, 1]), 3, "finite"),
    ],
)
def test_what_has_no_neighbours_is_refused(table, word, k, message):
    with pytest.raises(EmbeddingError, match=message):
        neighbours(table, word, k)


def test_analogy_leaves_out_its_three_words(table):
    assert [word for word, _ in analogy(table, "man", "king", "woman")] == ["queen", "stone"]


def test_analogy_composes_words_that_the_table_lacks():
    rows = {"up": [1.0, 0, 0], "down": [0, 1.0, 0], "left": [0, 0.1, 1.0], "right": [0, 0.1, -1.0]}
    table = learned(list(rows.values()), list(rows))
    subwords = keep(Pieces(20, 3, 6), np.random.default_rng(3).normal(size=(20, 3)), ["upward"])
    composed = subwords.vector("upward") / np.linalg.norm(subwords.vector("upward"))
    goal = composed - np.array(rows["up"]) + np.array(rows["down"])
    expected = max(("left", "right"), key=lambda word: goal @ rows[word])
    assert analogy(table, "up", "upward", "down", 1, subwords)[0][0] == expected
    with pytest.raises(EmbeddingError, match="does not know 'upward'"):
        analogy(table, "up", "upward", "down", 1)


def test_overlap_agrees_with_neighbours_and_is_ranked(table, monkeypatch):
    monkeypatch.setattr(explore, "_ROWS_AT_ONCE", 16)
    random = np.random.default_rng(1)
    vectors = random.normal(size=(40, 6))
    first, other = learned(vectors), learned(vectors + random.normal(size=(40, 6)))
    assert {share for _, share in overlap(first, first, 4)} == {1.0}
    ranking = overlap(first, other, 4)
    assert ranking == sorted(ranking, key=lambda pair: (-pair[1], first.row(pair[0])))
    for word, share in ranking:
        near = [{word for word, _ in neighbours(either, word, 4)} for either in (first, other)]
        assert share == len(near[0] & near[1]) / 4
    with pytest.raises(EmbeddingError, match="fewer than two words in common"):
        overlap(table, learned(np.eye(3)))


def test_common_words_are_those_that_mean_something_in_all_tables(table):
    other = learned(np.eye(4), ["stone", "noise", "man", "<pad>"])
    assert common_words([table, other]) == ["man", "stone"]
    assert common_words([other, table], 1) == ["stone"] and common_words([table]) == [*list(ROWS)[2:7]]


def test_a_typed_word_is_checked():
    assert checked_word(" Dog ") == "dog"
    wrong = {"": "One word", "two words": "'two words'", "a\0b": "One word", "x" * 1000: "but 1,000 were given"}
    for text, message in wrong.items():
        with pytest.raises(EmbeddingError, match=message):
            checked_word(text)
    assert len(checked_word("x" * MAXIMUM_LETTERS)) == MAXIMUM_LETTERS


def test_ask_answers_or_says_why_not(table):
    assert ask("Word2Vec", table, "king", 1).neighbours == [("queen", pytest.approx(THREE_FOUR))]
    for word, part in {"wolf": "does not know 'wolf'", "noise": "random stand-in", "<pad>": "special"}.items():
        answer = ask("Word2Vec", table, word)
        assert not answer.known and answer.message.startswith("Word2Vec") and part in answer.message


def test_ask_composes_a_word_never_seen():
    subwords = keep(Pieces(50, 3, 6), np.random.default_rng(0).normal(size=(50, 3)), ["king"])
    rows = {"king": subwords.vector("king"), "stone": np.array([1.0, 2, 3])}
    table = build_table(list(rows), (), lambda word: (rows[word], "trained"), 1.0, 0, "By hand.")
    answer = ask("FastText", table, "kings", 1, subwords.placed(table.placement))
    assert answer.known and answer.origin == "subwords" and answer.neighbours[0][0] == "king"
    assert "6 of 14" in answer.message and "<king" in answer.message
    stranger = ask("FastText", table, "wolf", 1, subwords)
    assert not stranger.known and "nor any of the pieces" in stranger.message


def test_placements_move_whole_matrices():
    moved = Placement(np.array([1.0, 0.0]), 2.0).place(np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert moved.tolist() == [[0.0, 2.0], [2.0, 0.0]]

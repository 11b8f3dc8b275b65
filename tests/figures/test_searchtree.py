"""The figure of a search tree: its table against the candidates, its lines against the parents."""

import math

import pytest

from captioner.figures.searchtree import summary, tree_chart, tree_table
from captioner.trace import Considered, Trace
from captioner.vocabulary import END, SPECIAL_WORDS

WORDS = (*SPECIAL_WORDS, "a", "dog", "cat")
A, DOG, CAT = 4, 5, 6


@pytest.fixture
def traced():
    trace = Trace()
    trace.note(
        [Considered(0, A, -0.5, -0.5, "kept"), Considered(0, DOG, -1.0, -1.0, "kept"), Considered(0, CAT, -3.0, -3.0, "dropped")]
    )
    trace.note(
        [
            Considered(1, END, -0.2, -1.2, "finished"),
            Considered(0, DOG, -0.9, -1.4, "kept"),
            Considered(0, CAT, -1.0, -1.5, "kept"),
        ]
    )
    trace.note([Considered(0, END, -0.1, -1.5, "finished")])
    return trace


@pytest.fixture
def table(traced):
    return tree_table(traced.candidates, traced.find([A, DOG, END]), WORDS)


def test_every_candidate_is_a_row(table):
    assert table["written"].tolist() == ["a", "dog", "cat", "■ end", "dog", "cat", "■ end"]
    assert table["word"].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert table["place"].tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert table["after"].tolist() == ["the start"] * 3 + ["dog", "a", "a", "a dog"]
    assert table["fate"].tolist() == ["won", "kept", "dropped", "finished", "won", "kept", "won"]


def test_the_figure_in_words(table):
    said = summary(table)
    assert "over 3 words" in said and "7 continuations" in said and "1 of them dropped" in said and said.endswith("is: a dog.")


def drawn(chart, fate):
    """The lines of a kind: from (word, place) to (word, place), rounded to whole words."""
    data = chart.to_dict()
    found = []
    for layer in data["layer"]:
        mark = layer["mark"]["type"]
        if mark != "rule" or f"'{fate}'" not in layer["transform"][0]["filter"]:
            continue
        for row in data["datasets"][layer["data"]["name"]]:
            if row["fate"] == fate:
                found.append((math.floor(row["word"]), row["place"], math.ceil(row["word2"]), row["place2"]))
    return found


def test_lines_join_each_candidate_to_the_one_before_it(table):
    chart = tree_chart(table, "#123456")
    assert drawn(chart, "won") == [(1, 1, 2, 2), (2, 2, 3, 1)]
    assert drawn(chart, "finished") == [(1, 2, 2, 1)]
    assert drawn(chart, "kept") == [(1, 1, 2, 3)]
    assert drawn(chart, "dropped") == []


def test_the_winners_way_is_heavier_and_has_the_decoders_colour(table):
    layers = tree_chart(table, "#123456").to_dict()["layer"]
    widths = [layer["mark"]["strokeWidth"] for layer in layers if layer["mark"]["type"] == "rule"]
    assert widths == sorted(widths) and widths[-1] > 2 * widths[-2]
    assert [layer["mark"]["color"] for layer in layers if layer["mark"].get("strokeWidth") == widths[-1]] == ["#123456"]
    weights = [layer["mark"]["fontWeight"] for layer in layers if layer["mark"]["type"] == "text"]
    assert weights == sorted(weights) and len(set(weights)) == 3


def test_a_search_of_one_word_has_no_lines():
    trace = Trace()
    trace.note([Considered(0, END, -0.1, -0.1, "finished")])
    table = tree_table(trace.candidates, trace.find([END]), WORDS)
    chart = tree_chart(table, "#123456")
    assert not any(drawn(chart, fate) for fate in ("won", "kept", "finished", "dropped"))

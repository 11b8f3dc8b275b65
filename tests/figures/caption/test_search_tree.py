"""The figure of a search tree: its table against the candidates, its lines against the parents."""

import math

import altair as alt
import numpy as np
import pytest
from captioning.test_beam_search import table_of

from captioner.captioning.beam_search import search
from captioner.captioning.search_trace import Considered, Trace
from captioner.config import SearchConfig
from captioner.figures.caption.search_tree import summary, tree_chart, tree_table, tree_width
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
    return tree_table(traced.candidates, traced.find([A, DOG, END]), WORDS, 0.5)


def column(table, field):
    return [row[field] for row in table]


def test_every_candidate_is_a_row(table):
    assert column(table, "written") == ["a", "dog", "cat", "■ end", "dog", "cat", "■ end"]
    assert column(table, "word") == [1, 1, 1, 2, 2, 2, 3]
    assert column(table, "place") == [1, 2, 3, 1, 2, 3, 1]
    assert column(table, "after") == ["the start"] * 3 + ["dog", "a", "a", "a dog"]
    assert column(table, "fate") == ["won", "kept", "dropped", "finished", "won", "kept", "won"]


def test_finished_sentences_show_the_score_by_which_they_were_compared(table):
    """Log-probabilities -1.2 after one word and -1.5 after two, each with its end, over the root of the length."""
    scores = [score for score in column(table, "score") if score is not None]
    assert scores == pytest.approx([-1.2 / math.sqrt(2), -1.5 / math.sqrt(3)])
    assert column(table, "shown") == ["a", "dog", "cat", "■ -0.85", "dog", "cat", "■ -0.87"]


def test_the_score_is_the_searchs_own():
    found, trace = search_with_trace()
    table = tree_table(trace.candidates, trace.find(found[0].ids + (END,)), WORDS, 0.7)
    finished = [row["score"] for row in table if row["score"] is not None and row["fate"] in ("finished", "won")]
    assert sorted(finished, reverse=True)[: len(found)] == pytest.approx([one.score for one in found], abs=1e-6)


def search_with_trace():
    random = np.random.default_rng(3)
    logits = random.normal(size=(len(WORDS), len(WORDS))).astype(np.float32)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    trace = Trace()
    config = SearchConfig(beam=3, length_preference=0.7, maximum_words=12)
    found = search(table_of(logs), (np.zeros((1, 1)),), 1, config, trace=trace)[0]
    return [one for one in found if one.finished], trace


def test_the_figure_in_words(table):
    said = summary(table)
    assert "over 3 words" in said and "7 continuations" in said and "1 of them dropped" in said and said.endswith("is: a dog.")


def drawn(chart, fate):
    """The lines of a kind: from (word, place) to (word, place), rounded to whole words."""
    return [
        (math.floor(row["word"]), row["place"], math.ceil(row["word2"]), row["place2"])
        for layer in chart["layer"]
        if layer["mark"]["type"] == "rule"
        for row in layer["data"]["values"]
        if row["fate"] == fate
    ]


def test_lines_join_each_candidate_to_the_one_before_it(table):
    chart = tree_chart(table, "#123456")
    assert drawn(chart, "won") == [(1, 1, 2, 2), (2, 2, 3, 1)]
    assert drawn(chart, "finished") == [(1, 2, 2, 1)]
    assert drawn(chart, "kept") == [(1, 1, 2, 3)]
    assert drawn(chart, "dropped") == []


def test_the_figure_is_what_the_language_of_such_figures_allows(table):
    figure = tree_chart(table, "#123456")
    alt.LayerChart.from_dict(figure)  # raises where a part of it is unknown
    with pytest.raises(Exception, match="strokeWide"):
        alt.LayerChart.from_dict(figure | {"config": {"view": {"strokeWide": 0}}})
    for layer in figure["layer"]:
        encoding = layer["encoding"]
        used = [*encoding.pop("tooltip", ()), *encoding.values(), *figure["encoding"].values()]
        assert all({channel["field"] for channel in used} <= set(row) for row in layer["data"]["values"])
    assert sum(len(layer["data"]["values"]) for layer in figure["layer"] if layer["mark"]["type"] == "text") == len(table)


def test_the_winners_way_is_heavier_and_has_the_decoders_colour(table):
    layers = tree_chart(table, "#123456")["layer"]
    widths = [layer["mark"]["strokeWidth"] for layer in layers if layer["mark"]["type"] == "rule"]
    assert widths == sorted(widths) and widths[-1] > 2 * widths[-2]
    assert [layer["mark"]["color"] for layer in layers if layer["mark"].get("strokeWidth") == widths[-1]] == ["#123456"]
    weights = [layer["mark"]["fontWeight"] for layer in layers if layer["mark"]["type"] == "text"]
    assert weights == sorted(weights) and len(set(weights)) == 3


@pytest.mark.parametrize("words", [1, 5, 12, 15, 40])
def test_an_ordinary_sentences_tree_fits_the_page_and_its_last_word_the_tree(words):
    trace = Trace()
    for step in range(words):
        word = END if step == words - 1 else A
        trace.note([Considered(0, word, -0.5, -0.5 * step, "finished" if word == END else "kept")])
    table = tree_table(trace.candidates, trace.find([A] * (words - 1) + [END]), WORDS, 1.0)
    figure = tree_chart(table, "#123456")
    assert len(drawn(figure, "won")) == words - 1
    first, last = figure["encoding"]["x"]["scale"]["domain"]
    step = figure["width"] / (last - first)
    assert figure["width"] == tree_width(table) and (figure["width"] <= 1184 or words > 16)
    assert 70 < step < 106 and (last - words) * step > 50  # pixels, of which a score takes fewer

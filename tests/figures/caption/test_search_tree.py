"""The figure of a search tree: its table against the candidates, its lines against the parents."""

import math

import altair as alt
import numpy as np
import pytest

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


def test_every_candidate_is_a_row(table):
    assert table["written"].tolist() == ["a", "dog", "cat", "■ end", "dog", "cat", "■ end"]
    assert table["word"].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert table["place"].tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert table["after"].tolist() == ["the start"] * 3 + ["dog", "a", "a", "a dog"]
    assert table["fate"].tolist() == ["won", "kept", "dropped", "finished", "won", "kept", "won"]


def test_finished_sentences_show_the_score_by_which_they_were_compared(table):
    """Log-probabilities -1.2 after one word and -1.5 after two, each with its end, over the root of the length."""
    scores = table["score"].dropna()
    assert scores.tolist() == pytest.approx([-1.2 / math.sqrt(2), -1.5 / math.sqrt(3)])
    assert table["shown"].tolist() == ["a", "dog", "cat", "■ -0.85", "dog", "cat", "■ -0.87"]


def test_the_score_is_the_searchs_own():
    found, trace = search_with_trace()
    table = tree_table(trace.candidates, trace.find(found[0].ids + (END,)), WORDS, 0.7)
    finished = table[table["fate"].isin(("finished", "won"))]["score"]
    assert sorted(finished, reverse=True)[: len(found)] == pytest.approx([one.score for one in found], abs=1e-6)


def search_with_trace():
    random = np.random.default_rng(3)
    logits = random.normal(size=(len(WORDS), len(WORDS))).astype(np.float32)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    trace = Trace()
    config = SearchConfig(beam=3, length_preference=0.7, maximum_words=12)
    found = search(lambda state, words, images: (logs[words], state, None), (np.zeros((1, 1)),), 1, config, trace=trace)[0]
    return [one for one in found if one.finished], trace


def test_the_figure_in_words(table):
    said = summary(table)
    assert "over 3 words" in said and "7 continuations" in said and "1 of them dropped" in said and said.endswith("is: a dog.")


def drawn(chart, fate):
    """The lines of a kind: from (word, place) to (word, place), rounded to whole words."""
    found = []
    for layer in chart["layer"]:
        mark = layer["mark"]["type"]
        if mark != "rule" or f"'{fate}'" not in layer["transform"][0]["filter"]:
            continue
        for row in chart["datasets"][layer["data"]["name"]].to_dict("records"):
            if row["fate"] == fate:
                found.append((math.floor(row["word"]), row["place"], math.ceil(row["word2"]), row["place2"]))
    return found


def test_lines_join_each_candidate_to_the_one_before_it(table):
    chart = tree_chart(table, "#123456")
    assert drawn(chart, "won") == [(1, 1, 2, 2), (2, 2, 3, 1)]
    assert drawn(chart, "finished") == [(1, 2, 2, 1)]
    assert drawn(chart, "kept") == [(1, 1, 2, 3)]
    assert drawn(chart, "dropped") == []


def test_the_figure_is_what_the_language_of_such_figures_allows(table):
    figure = tree_chart(table, "#123456")
    named = {name: data.to_dict("records") for name, data in figure["datasets"].items()}
    alt.LayerChart.from_dict(figure | {"datasets": named})  # raises where a part of it is unknown
    with pytest.raises(Exception, match="strokeWide"):
        alt.LayerChart.from_dict(figure | {"datasets": named, "config": {"view": {"strokeWide": 0}}})
    fields = {layer["data"]["name"]: layer["encoding"] for layer in figure["layer"]}
    shown = [channel["field"] for channel in (fields["points"]["text"], *fields["points"]["tooltip"])]
    assert {*shown, "word", "place", "fate"} <= set(figure["datasets"]["points"])
    assert {"word", "place", "word2", "place2", "fate"} <= set(figure["datasets"]["edges"])


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

"""What the charts of scores are drawn from, what they say to who cannot see them, and the tables behind them."""

import json

import pytest

from captioner.config import VARIANTS
from captioner.figures.scores import score_charts as charts
from captioner.figures.scores.published import PUBLISHED
from captioner.figures.scores.scoreboard import Board, Entry, Trial, TriedBeams
from captioner.figures.scores.verdict import Gap
from support.factories import SETTING, VALUES, comparison, yardstick

GAPS = [Gap("FastText", "Learned", 0.07, 0.05, 0.09), Gap("Word2Vec", "Learned", 0.03, -0.01, 0.07)]
TRIED = ((1, 0.7, 0.4), (3, 0.4, 0.41), (3, 1.0, 0.5))
STUDY = TriedBeams(3, 1.0, tuple(Trial(beam, preference, {"learned": {"cider": cider}}) for beam, preference, cider in TRIED))


@pytest.fixture
def board(tiny_run) -> Board:
    entries = tuple(Entry(VARIANTS[name], yardstick(value), SETTING | {"data": "flickr8k"}) for name, value in VALUES.items())
    return Board("test", entries, comparison(tiny_run))


def test_everybody_has_a_row_best_first(board):
    rows = charts.score_rows(board, "cider")
    assert list(rows.who)[:4] == ["People", "FastText", "Word2Vec", "Learned"] and rows.who.iloc[-1] == "One sentence for all"
    assert rows.score.is_monotonic_decreasing
    assert (rows.low[1], rows.high[1]) == pytest.approx((0.54, 0.60))
    known = [system.title for system in PUBLISHED if "cider" in system.metrics]
    assert sorted(rows.who[rows.kind == "published"]) == sorted(known)
    assert charts.score_summary(rows, "cider").startswith("CIDEr, best first: People 0.820, FastText 0.570, Word2Vec 0.530")


def test_others_figures_stand_beside_the_photographs_that_they_are_of(board):
    assert "published" in set(charts.score_rows(board, "bleu1").kind)
    for split, data in (("dev", "flickr8k"), ("test", "shapes")):
        entries = tuple(Entry(one.variant, one.score, SETTING | {"data": data}) for one in board.entries)
        assert "published" not in set(charts.score_rows(Board(split, entries, None), "bleu1").kind)


def test_the_score_chart_has_each_decoder_in_its_colour_shape_and_dashes(board):
    rows = charts.score_rows(board, "cider")
    drawn = json.loads(charts.score_chart(rows, "cider").to_json())
    colours = drawn["layer"][0]["encoding"]["color"]["scale"]
    by_name = dict(zip(colours["domain"], colours["range"], strict=True))
    assert {name: by_name[name] for name in ("Learned", "People")} == {"Learned": "#0072B2", "People": "currentColor"}
    marks = [layer["mark"] for layer in drawn["layer"]]
    dashes = [mark["strokeDash"] for mark in marks if "strokeDash" in mark]
    assert dashes == [list(variant.dash) for variant in VARIANTS.values()]
    assert [mark["shape"] for mark in marks if mark["type"] == "point"] == ["circle", "square", "triangle-up", "diamond"]


def test_the_score_table_holds_decoders_against_fewer_captions_too(board):
    table = charts.score_table(charts.score_rows(board, "cider"), board, "cider")
    assert list(table.loc["FastText"]) == ["0.570", "0.540", "0.600", "0.550"]
    assert table.loc["People", "against one caption fewer"] == "" and table.loc["Merge, 2018", "low"] == ""
    alone = Board("test", board.entries, None)
    assert set(charts.score_table(charts.score_rows(alone, "cider"), alone, "cider").iloc[:, -1]) == {""}


def test_differences_say_what_they_mean():
    table = charts.gap_table(GAPS)
    assert list(table.meaning) == ["significant", "not significant"] and table.pair[0] == "FastText − Learned"
    assert charts.gap_summary(GAPS, "bleu4") == (
        "Paired differences in BLEU-4: FastText above Learned by 0.070 (0.050 to 0.090), significant; "
        "Word2Vec above Learned by 0.030 (−0.010 to 0.070), not significant."
    )
    drawn = json.loads(charts.gap_chart(GAPS, "bleu4").to_json())
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["rule", "rule", "point"]
    rows = drawn["datasets"][drawn["layer"][2]["data"]["name"]]
    assert rows[0]["label"] == "FastText − Learned|significant"


def test_the_beams():
    assert charts.beam_summary(STUDY) == "CIDEr on dev by beam; beam 1: Learned 0.400; beam 3: Learned 0.500."
    table = charts.beam_table(STUDY)
    assert list(table.index) == [(1, ""), (3, "0.4"), (3, "1")] and list(table["mean"]) == [0.4, 0.41, 0.5]
    drawn = json.loads(charts.beam_chart(STUDY).to_json())
    (rows,) = drawn["datasets"].values()
    assert [(row["beam"], row["cider"]) for row in rows] == [(1, 0.4), (3, 0.5)]


def test_published_figures_are_texts():
    table = charts.published_table()
    assert table.loc["Hard attention, 2015", "BLEU-4"] == "0.213" and table.loc["Google NIC, 2014", "BLEU-4"] == ""
    assert list(table.index) == [system.title for system in PUBLISHED]
    assert "Google NIC, 2014 BLEU-1 0.630" in charts.published_summary()
    assert "Pre-inject, 2018 CIDEr 0.469" in charts.published_summary()  # No more is known of it.

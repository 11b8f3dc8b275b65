"""What the chart of familiarity is drawn from, what it says, and the table behind it."""

import doctest
import json

import numpy as np
import pytest

from captioner.config import VARIANTS
from captioner.figures.scores import novelty_chart, novelty_text
from captioner.scoring.novelty_curve import measure

PLACE = np.arange(100)


@pytest.fixture(scope="module")
def falling():
    return measure({}, PLACE, {"learned": 0.9 - 0.8 * PLACE / 99, "fasttext": 0.7 - 0.6 * PLACE / 99})


@pytest.fixture(scope="module")
def flat():
    return measure({}, PLACE, {"learned": np.where(PLACE % 2, 0.4, 0.6)})


def test_the_ends_of_a_falling_curve_are_named(falling):
    told = novelty_text.verdict(falling)
    ends = [f"on the {zone.photographs} {which}" for zone, which in zip(
        (falling.zones["better"], falling.zones["worse"]), ("least strange", "strangest"), strict=True)]  # fmt: skip
    assert told.startswith("On 100 dev photographs") and all(end in told for end in ends) and "0.45 on all" in told
    assert "−1.00 (−1.00 to −1.00)" in told and "100% of the time" in told


def test_a_flat_curve_has_no_ends(flat):
    told = novelty_text.verdict(flat)
    assert novelty_text.told(flat.correlation["mean"]) in told and "Mean CIDEr: 0.50 on all." in told


def test_every_bin_and_decoder_has_a_row(falling):
    rows = novelty_chart.rows(falling)
    assert len(rows) == 30 and set(rows.who) == {"Learned", "FastText", "mean"}
    first = rows[(rows.who == "Learned") & (rows.start == 0)].iloc[0]
    assert (first.middle, first.end) == (5, 10) and first.cider == pytest.approx(0.9 - 0.8 * 4.5 / 99)


def test_the_chart_has_zones_the_usual_line_decoders_and_intervals(falling, flat):
    drawn = json.loads(novelty_chart.chart(falling).to_json())
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["rect", "text", "rule", "line", "rule", "point"]
    scale = drawn["layer"][3]["encoding"]["color"]["scale"]
    assert scale == {"domain": ["Learned", "FastText"], "range": [VARIANTS[name].colour for name in ("learned", "fasttext")]}
    shaded = drawn["datasets"][drawn["layer"][0]["data"]["name"]]
    assert [(zone["start"], zone["label"]) for zone in shaded] == [
        (0, "better than usual"), (falling.zones["worse"].start, "worse than usual")
    ]  # fmt: skip
    assert json.loads(novelty_chart.chart(flat).to_json())["layer"]


def test_the_table_and_the_words_hold_the_same(falling):
    table = novelty_chart.as_table(falling)
    assert list(table.index[[0, -2, -1]]) == ["0 to 10", "0 to 100", "rank correlation"] and len(table) == 12
    assert table.loc["rank correlation", "Learned"] == "−1.00 (−1.00 to −1.00)"
    assert table.loc["0 to 10", "mean"].startswith("0.77 (")
    assert novelty_text.summary(falling).startswith("Mean CIDEr on dev, from the least strange")
    assert doctest.testmod(novelty_text).failed == 0

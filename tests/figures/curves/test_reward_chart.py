"""The chart of the stage of reward: its rows, its marks, and the chart in words."""

import pytest

from captioner.config import VARIANTS
from captioner.figures.curves.histories import read_run
from captioner.figures.curves.reward_chart import reward_chart, reward_rows, reward_summary
from support.factories import history, write, write_run, write_seeds
from support.fakes import rewarded


@pytest.fixture
def curves(tmp_path):
    """Word2Vec has not come to the second stage yet."""
    run = write_run(tmp_path / "run")
    for name in ("learned", "fasttext"):
        write(run, name, rewarded(history(name), epochs=3))
    return read_run(run)[0]


def marks(chart, kind):
    return [layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == kind]


def test_there_is_a_row_for_every_epoch_of_reward(curves):
    rows = reward_rows(curves, "dev_cider")
    assert rows.decoder.tolist() == ["Learned"] * 3 + ["FastText"] * 3 and rows.epoch.tolist() == [4, 5, 6, 2, 3, 4]
    assert rows.cider.tolist() == pytest.approx([0.55, 0.6, 0.65] * 2) and rows.best.tolist() == [False, False, True] * 2


def test_dev_is_drawn_stronger_than_the_reward_and_both_in_the_decoders_colours(curves):
    (training,), (dev,) = (marks(reward_chart(curves, name), "line") for name in ("reward", "dev_cider"))
    assert training["mark"]["strokeWidth"] < dev["mark"]["strokeWidth"]
    colours = dev["encoding"]["color"]["scale"]
    assert colours == {"domain": ["Learned", "FastText"], "range": [VARIANTS[name].colour for name in ("learned", "fasttext")]}
    assert not marks(reward_chart(curves, "reward"), "area")


def test_several_seeds_have_a_band(tmp_path):
    run = write_seeds(tmp_path)
    write(run, "learned", rewarded(history("learned")))
    write(run / "seeds" / "2", "learned", rewarded(history("learned", [(4.4, 3.7), (3.2, 3.4)], seed=2)))
    (area,) = marks(reward_chart(read_run(run)[0], "reward"), "area")
    assert area["encoding"]["y2"]["field"] == "high"


def test_the_summary_says_what_the_chart_shows(curves):
    told = reward_summary(curves, "dev_cider")
    assert told.startswith("CIDEr on dev after each epoch") and "Word2Vec" not in told
    assert "Learned: from 0.550 to 0.650; 0.650 in the best epoch, 6." in told
    assert "Learned: from 0.700 to 0.900;" in reward_summary(curves, "reward")

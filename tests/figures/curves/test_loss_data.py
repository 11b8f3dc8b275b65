"""From curves to the numbers of a plot: smoothing, places, stages, tables; worked by hand."""

import math
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from captioner.config import VARIANTS
from captioner.figures.curves.histories import read_run
from captioner.figures.curves.loss_data import MINUTES, LossPlot, LossView, loss_csv, loss_table, settled, smooth, summary
from support.factories import history, write, write_run, write_seeds
from support.fakes import rewarded as with_reward


@pytest.fixture
def curves(tmp_path):
    return tuple(read_run(write_run(tmp_path))[0])


@pytest.fixture
def staged(tmp_path):
    run = write_run(tmp_path / "staged")
    for name, losses in (("learned", [(4, 3.5), (3, 3.1), (2.5, 3.0)]), ("word2vec", [(4, 3.6), (3, 3.2), (2, 3.1)])):
        write(run, name, history(name, losses, earlier=2))
    (run / "fasttext" / "history.json").unlink()
    return tuple(read_run(run)[0])


@pytest.fixture
def rewarded(tmp_path):
    """The same three decoders, each of which went on to two epochs of reward after as many epochs as it had."""
    run = write_run(tmp_path / "rewarded")
    for name in VARIANTS:
        write(run, name, with_reward(history(name)))
    return tuple(read_run(run)[0])


def line(plot, decoder, split):
    rows = plot.lines
    return rows[(rows.decoder == decoder) & (rows.split == split)]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_smoothing_is_the_weighted_mean_that_its_help_describes(weight):
    values = np.array([4.0, 3.0, 3.5, 2.0])
    expected = [np.average(values[: n + 1], weights=weight ** np.arange(n, -1, -1)) for n in range(len(values))]
    assert smooth(values, weight) == pytest.approx(expected)


def test_lines_hold_every_loss_once(curves):
    plot = LossPlot(curves, LossView())
    assert len(plot.lines) == 2 * (3 + 2 + 1)
    assert line(plot, "Learned", "dev").loss.tolist() == [3.5, 3.0, 3.1]
    assert line(plot, "Learned", "training").place.tolist() == [1, 2, 3]
    minutes = line(LossPlot(curves, LossView(axis=MINUTES)), "Learned", "dev").place
    assert minutes.tolist() == pytest.approx([1 / 6, 0.5, 1.0])


def test_smoothing_keeps_what_was_measured_and_begins_before_the_first_epoch_that_is_shown(curves):
    whole, part = (line(LossPlot(curves, LossView(smoothing=0.5, first_epoch=first)), "Learned", "dev") for first in (1, 2))
    assert whole.raw.tolist() == [3.5, 3.0, 3.1] and whole.loss.tolist() == pytest.approx(smooth([3.5, 3.0, 3.1], 0.5))
    assert part.loss.tolist() == whole.loss.tolist()[1:] and part.epoch.tolist() == [2, 3]


def test_seeds_give_a_band(tmp_path):
    plot = LossPlot(tuple(read_run(write_seeds(tmp_path))[0]), LossView())
    dev = line(plot, "Learned", "dev")
    assert dev.low.tolist() == [3.5, 3.0] and dev.high.tolist() == [3.7, 3.4] and dev.loss.tolist() == pytest.approx([3.6, 3.2])


def test_the_best_epochs_are_named_inside_the_chart(curves):
    for view in (LossView(), LossView(log=True), LossView(axis=MINUTES), LossView(course=True), LossView(smoothing=0.8)):
        plot = LossPlot(curves, view)
        assert {label.text for label in plot.labels} == {
            "Learned: best epoch 2", "Word2Vec: best epoch 2", "FastText: best epoch 1",
        }  # fmt: skip
        assert all(plot.scale.low < label.name_at < plot.scale.high for label in plot.labels)
        assert all(plot.scale.low < loss < plot.scale.high for loss in (2.5, 4.2))
    assert [label.variant.name for label in LossPlot(curves, LossView(first_epoch=2)).labels].count("fasttext") == 0


def test_the_axis_has_a_length_after_one_epoch(curves):
    assert LossPlot(curves[2:], LossView()).places == (1, 2)
    assert LossPlot(curves[2:], LossView(log=True)).scale.low < 3.4


def test_epochs_to_come_are_on_the_axis_of_epochs_alone(curves):
    assert LossPlot(curves, LossView(), 16).places == (1, 16)
    assert LossPlot(curves, LossView(axis=MINUTES), 16).places[1] == pytest.approx(1.0)


def test_the_second_stage_begins_between_two_epochs_or_at_a_minute(staged, curves):
    assert LossPlot(staged, LossView()).second_stage == [(2.5, "second stage")]
    assert LossPlot(staged, LossView(axis=MINUTES)).second_stage == [(pytest.approx(0.5), "second stage")]
    assert LossPlot(staged, LossView(first_epoch=3)).second_stage == []
    assert LossPlot(curves, LossView()).second_stage == []
    assert LossPlot((*staged, *curves[2:]), LossView()).second_stage == [(2.5, "Learned, Word2Vec: second stage")]


def test_reward_begins_where_it_does_and_brings_figures_of_its_own(rewarded):
    begins = [(1.5, "FastText: reward"), (2.5, "Word2Vec: reward"), (3.5, "Learned: reward")]
    assert LossPlot(rewarded, LossView()).second_stage == begins
    assert LossPlot(rewarded[:1], LossView()).second_stage == [(3.5, "reward")]
    table = loss_table(rewarded)
    assert list(table)[:4] == ["Learned, training", "Learned, dev", "Learned, CIDEr on dev", "Learned, reward in training"]
    assert table["Learned, CIDEr on dev"].dropna().to_dict() == pytest.approx({4: 0.55, 5: 0.6})
    rows = pd.read_csv(StringIO(loss_csv(rewarded)))
    assert rows[rows.decoder == "word2vec"].stage.tolist() == ["first", "first", "reward", "reward"]
    assert rows[rows.decoder == "fasttext"].reward.tolist()[1:] == pytest.approx([0.7, 0.8])
    assert "Learned: dev loss from 3.50 to 3.10 where CIDEr is best, in epoch 5 of 5." in summary(rewarded)


def test_the_course_is_laid_over_epochs_alone(curves):
    plot = LossPlot(curves[:1], LossView(course=True))
    assert [variant.name for variant in plot.variants] == ["learned", "word2vec", "fasttext"]
    assert len(plot.course_lines) == 59 + 64 and plot.places == (1, 64) and plot.scale.high > 5.067
    assert len(LossPlot(curves, LossView(course=True, first_epoch=2)).course_lines) == 58 + 63
    assert LossPlot(curves, LossView(course=True, axis=MINUTES)).course_lines.empty and LossPlot(curves, LossView()).course == ()


def test_the_table_has_an_epoch_per_row_and_gaps_where_training_was_shorter(curves):
    table = loss_table(curves)
    assert table.index.tolist() == [1, 2, 3] and table.index.name == "epoch"
    assert table["Word2Vec, dev"].tolist()[:2] == [3.6, 3.2] and math.isnan(table["Word2Vec, dev"][3])
    assert list(table)[:2] == ["Learned, training", "Learned, dev"]


def test_the_csv_holds_every_seed_as_it_was_written(tmp_path):
    rows = pd.read_csv(StringIO(loss_csv(read_run(write_seeds(tmp_path))[0])))
    assert len(rows) == 3 + 2 + 2 + 1
    second = rows[(rows.decoder == "learned") & (rows.seed == 2)]
    assert second.dev_loss.tolist() == [3.7, 3.4] and second.seconds.tolist() == [10, 20]


def test_the_chart_begins_when_three_quarters_of_the_fall_are_over_in_every_curve(tmp_path):
    """Learned falls by 2.0 and has 1.5 of it in its third epoch; Word2Vec by 1.0 and has 0.75 of it in its second."""
    run = write_run(tmp_path)
    write(run, "learned", history("learned", [(4, dev) for dev in (5.0, 4.0, 3.5, 3.2, 3.1, 3.05, 3.02, 3.0)]))
    write(run, "word2vec", history("word2vec", [(4, dev) for dev in (4.0, 3.2, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0)]))
    (run / "fasttext" / "history.json").unlink()
    learned, word2vec = read_run(run)[0]
    assert settled([learned, word2vec]) == 3 and settled([word2vec]) == 2 and settled([]) == 1


def test_no_more_than_a_quarter_of_the_epochs_is_left_out(curves):
    assert "Learned: dev loss from 3.50 to its best, 3.00, in epoch 2 of 3." in summary(curves)
    assert settled(curves) == 1 and settled(curves[2:]) == 1

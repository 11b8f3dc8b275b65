"""Runs on disk to histories and curves over seeds, against values written by hand."""

import math
import os
import shutil
import time
from pathlib import Path

import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.curves.histories import INTERRUPTED, RUNNING, find_runs, in_progress, read_history, read_run
from captioner.figures.decoder.settings_in_words import read_all
from support.factories import history, write, write_run, write_seeds
from support.fakes import rewarded

EPOCH = {"epoch": 1, "train_loss": 2.0, "dev_loss": 3.0, "seconds": 1.0}


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def age(path, seconds):
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_curves_come_in_the_order_of_the_variants(run):
    curves, problems = read_run(run)
    assert [curve.variant.name for curve in curves] == list(VARIANTS) and not problems
    assert curves[0].best.epoch == 2 and curves[0].best.dev.mean == 3.0
    assert curves[0].seconds_per_epoch == 20.0
    assert [point.minutes for point in curves[0].points] == pytest.approx([10 / 60, 30 / 60, 60 / 60])


def test_a_missing_history_is_told_and_the_others_are_read(run):
    (run / "word2vec" / "history.json").unlink()
    found, problems = read_run(run)
    assert [one.variant.name for one in found] == ["learned", "fasttext"]
    assert "Word2Vec has no curve yet" in str(problems[0]) and len(problems) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": []},
        {"epochs": [{"epoch": 1}]},
        {"epochs": "none"},
        {"epochs": [{"epoch": 1, "train_loss": math.nan, "dev_loss": 3.0, "seconds": 1.0}]},
        {"epochs": [{"epoch": 1, "train_loss": None, "dev_loss": 3.0, "seconds": 1.0}]},
        {"epochs": [{"epoch": 1, "train_loss": 0.0, "dev_loss": 3.0, "seconds": 1.0}]},
        {"epochs": [{"epoch": 1, "train_loss": 1.0, "dev_loss": 3.0, "seconds": -1.0}]},
        {"epochs": [{"epoch": 2, "train_loss": 1.0, "dev_loss": 3.0, "seconds": 1.0}]},
        {"best_epoch": 9},
        {"best_epoch": None},
        {"state": "asleep"},
        {"earlier": 7},
        {"epochs": [EPOCH | {"stage": "third"}]},
        {"epochs": [EPOCH | {"stage": "reward", "dev_cider": math.inf}]},
        {"epochs": [EPOCH | {"stage": "reward", "reward": "high"}]},
        {"epochs": [EPOCH | {"stage": "reward"}, EPOCH | {"epoch": 2}]},
        {"seed": "one"},
    ],
    ids=str,
)
def test_a_partial_history_is_a_sentence(run, change):
    path = write(run, "learned", history("learned") | change)
    with pytest.raises(CheckpointError, match="history.json of (Learned is not complete|learned: )"):
        read_history(path)


@pytest.mark.parametrize("text", ["[1, 2]", "null", "7", '{"variant": "fasttext", "epo'])
def test_a_file_that_is_no_history_is_a_sentence(run, text):
    with pytest.raises(CheckpointError, match="history.json of fasttext: "):
        read_history(write(run, "fasttext", text))


def test_histories_from_before_there_were_stages_are_read(run):
    data = history("learned")
    del data["earlier"]
    assert read_history(write(run, "learned", data)).earlier == 0


def test_a_history_goes_on_with_rewards(run):
    path = write(run, "learned", rewarded(history("learned")))
    found = read_history(path)
    assert [epoch.stage for epoch in found.epochs] == [FIRST] * 3 + [REWARD] * 2 and found.best.dev_cider == pytest.approx(0.6)
    assert found.seconds_per_epoch == 30.0, "of the stage that it has come to"
    curve = read_run(run)[0][0]
    assert curve.earlier == 3 and curve.stage == REWARD and [point.epoch for point in curve.rewarded] == [4, 5]
    assert curve.best.epoch == 5 and curve.points[2].reward is None and curve.points[3].reward.mean == pytest.approx(0.7)


def test_seeds_whose_first_stages_were_of_different_lengths_go_on_together(tmp_path):
    run = write_seeds(tmp_path)
    write(run, "learned", rewarded(history("learned")))
    write(run / "seeds" / "2", "learned", rewarded(history("learned", [(4.4, 3.7), (3.2, 3.4)], seed=2), epochs=1))
    curve = read_run(run)[0][0]
    assert [point.stage for point in curve.points] == [FIRST, FIRST, REWARD] and curve.earlier == 2 and curve.best.epoch == 3
    assert curve.points[2].minutes == pytest.approx(((10 + 20 + 30 + 30) + (10 + 20 + 20)) / 2 / 60)


def test_seeds_are_a_mean_within_a_band_as_far_as_all_have_come(tmp_path):
    run = write_seeds(tmp_path)
    write(run / "seeds" / "1", "learned", history("learned"))
    learned, word2vec, _ = read_run(run)[0]
    assert [history.seed for history in learned.histories] == [1, 2], "the seed that ships counts once"
    dev = [(point.dev.mean, point.dev.low, point.dev.high) for point in learned.points]
    assert dev == [pytest.approx((3.6, 3.5, 3.7)), pytest.approx((3.2, 3.0, 3.4))]
    assert learned.best.epoch == 2 and len(word2vec.histories) == 1


def test_seeds_alone_are_a_run(tmp_path):
    """As in the study on Flickr8k, whose decoders do not ship."""
    for seed in (1, 2):
        for name in VARIANTS:
            write(tmp_path / "study" / "first" / "seeds" / str(seed), name, history(name, seed=seed))
    (run,) = find_runs([tmp_path])
    curves, problems = read_run(run)
    assert run == tmp_path / "study" / "first" and not problems and [len(curve.histories) for curve in curves] == [2, 2, 2]


def test_a_damaged_seed_is_told_and_the_others_are_drawn(tmp_path):
    run = write_seeds(tmp_path)
    write(run / "seeds" / "3", "learned", "{}")
    curves, problems = read_run(run)
    assert len(problems) == 1 and len(curves[0].histories) == 2


@pytest.mark.parametrize(
    ("silent", "seconds", "alive", "state"),
    [
        (0, 10.0, None, RUNNING),
        (50, 10.0, None, RUNNING),
        (70, 10.0, None, INTERRUPTED),
        (-50, 10.0, None, RUNNING),  # A clock may be a little off.
        (-4000, 10.0, None, INTERRUPTED),  # It was set back.
        (450, 100.0, None, RUNNING),  # Slow epochs are waited for.
        (0, 10.0, False, INTERRUPTED),
    ],
)
def test_a_run_that_is_written_is_running_and_a_silent_one_was_interrupted(run, silent, seconds, alive, state):
    data = history("fasttext", state=RUNNING)
    data["epochs"][0]["seconds"] = seconds
    age(write(run, "fasttext", data), silent)
    curves = read_run(run, alive)[0]
    assert curves[2].state == state and in_progress(curves) == (state == RUNNING)


def test_a_run_goes_on_between_two_decoders(run):
    assert not in_progress(read_run(run)[0])
    (run / "fasttext" / "history.json").unlink()
    assert in_progress(read_run(run)[0])
    for name in ("learned", "word2vec"):
        age(run / name / "history.json", 1000)
    assert not in_progress(read_run(run)[0])


def test_a_folder_that_cannot_be_looked_into_holds_nothing(tmp_path):
    """Its name is longer than any that the system answers to, which is refused even to who may see everything."""
    closed = tmp_path / ("a" * 300)
    assert find_runs([closed]) == []
    with pytest.raises(CheckpointError, match="Learned has no curve yet"):
        read_history(closed / "learned" / "history.json")
    curves, problems = read_run(closed)
    assert curves == [] and len(problems) == len(VARIANTS)
    assert read_all(closed) == ([], [])


@pytest.mark.parametrize("survived", [0, 1])
def test_a_folder_that_is_removed_while_it_is_read_is_a_sentence(run, monkeypatch, survived):
    """As when another visitor begins a new training; the folder goes after so many looks at the file."""
    look, looks = os.stat, []

    def last_look(path, *rest, **more):
        found = look(path, *rest, **more)
        if Path(path).name == "history.json":
            looks.append(path)
            if len(looks) > survived:
                monkeypatch.undo()
                shutil.rmtree(run)
        return found

    monkeypatch.setattr(os, "stat", last_look)
    with pytest.raises(CheckpointError, match="history.json"):
        read_history(run / "learned" / "history.json")
    assert not run.exists()


def test_runs_are_found_in_a_folder_and_below_it(tmp_path):
    own = write_run(tmp_path)
    nested, seeded = write_run(tmp_path / "runs" / "b"), write_seeds(tmp_path / "runs" / "a")
    write_run(tmp_path / ".resume")
    write_run(tmp_path / "1" / "2" / "3" / "4")
    assert find_runs([own]) == [own, seeded, nested]
    assert find_runs([nested, own]) == [nested, own, seeded]
    assert find_runs([tmp_path / "nothing"]) == []

"""Logs for TensorBoard, read back by TensorFlow and, where it is installed, by TensorBoard."""

import importlib.util

import numpy as np
import pytest

from captioner.__main__ import main
from captioner.config import REWARD
from captioner.errors import TrainingError
from captioner.training import tensorboard
from captioner.training.history import Epoch, TrainingState
from captioner.training.tensorboard import EventLog
from support.event_files import points

needs_tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed.")


def first(number):
    return Epoch(number, train_loss=4.0 / number, dev_loss=3.0 / number, seconds=9.0, learning_rate=0.25 / number)


def rewarded(number):
    return Epoch(number, 2.5, 2.75, 9.0, 0.5, REWARD, reward=0.25 * number, dev_cider=0.125 * number)


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "logs" / "learned-1-first")


def test_every_epoch_is_written_once(log):
    state = TrainingState()
    for number in (1, 2, 3):
        state.epochs.append(first(number))
        log(state)
        assert len(list(points(log.folder))) == 3 * number  # On the disk at once.
    assert list(points(log.folder))[:3] == [("loss/training", 1, 4.0), ("loss/dev", 1, 3.0), ("learning_rate", 1, 0.25)]
    assert [value for tag, _, value in points(log.folder) if tag == "loss/dev"] == [3.0, 1.5, 1.0]
    assert len(list(log.folder.iterdir())) == 1


def test_the_second_stage_adds_its_own_scalars_and_counts_on(log):
    log(TrainingState([rewarded(1)], before=[first(1), first(2)]))
    values = {"loss/training": 2.5, "loss/dev": 2.75, "learning_rate": 0.5, "reward": 0.25, "CIDEr/dev": 0.125}
    assert list(points(log.folder)) == [(tag, 3, value) for tag, value in values.items()]


def test_a_resumed_run_continues_its_log_or_starts_one_with_all_its_epochs(log, tmp_path):
    log(TrainingState([first(1)]))
    EventLog(log.folder)(TrainingState([first(1), first(2)]))
    late = EventLog(tmp_path / "late")
    late(TrainingState([first(1), first(2)]))
    for folder in (log.folder, late.folder):
        assert [step for tag, step, _ in points(folder) if tag == "loss/dev"] == [1, 2]


def test_a_folder_is_checked_before_training(log, tmp_path):
    log.prepare(resumes=False)
    log(TrainingState([first(1)]))
    log.prepare(resumes=True)
    with pytest.raises(TrainingError, match="already holds the log of another run"):
        EventLog(log.folder).prepare(resumes=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be created"):
        EventLog(tmp_path / "file" / "logs").prepare(resumes=False)
    with pytest.raises(TrainingError, match="cannot be written"):
        EventLog(tmp_path / "file" / "logs")(TrainingState([first(1)]))


@pytest.mark.parametrize(
    ("installed", "error"), [(None, "the package tensorboard, which is not installed; run pip install"), (object(), "no folder")]
)
def test_the_package_is_required_before_anything_else(monkeypatch, tmp_path, capsys, installed, error):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: installed)
    assert main(["train", "--data", str(tmp_path / "nowhere"), "--tensorboard", str(tmp_path / "logs")]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and error in printed.err
    assert not list(tmp_path.iterdir())


@needs_tensorboard
def test_tensorboard_reads_the_same(log):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    state = TrainingState(before=[first(1)])
    for number in (1, 2):
        state.epochs.append(rewarded(number))
        log(state)
    read = EventAccumulator(str(log.folder)).Reload()
    assert set(read.Tags()["scalars"]) == set(tensorboard.SCALARS)
    for tag, name in tensorboard.SCALARS.items():
        assert [point.step for point in read.Scalars(tag)] == [2, 3]
        np.testing.assert_allclose([point.value for point in read.Scalars(tag)], [getattr(rewarded(n), name) for n in (1, 2)])

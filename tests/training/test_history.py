"""Histories: the end of a training, the best epoch, and the epochs as plain data."""

from dataclasses import replace

import pytest

from captioner.config import FIRST, REWARD, TrainingConfig
from captioner.storage import parse_as
from captioner.training.history import Epoch, TrainingState

LINE = {"epoch": 2, "train_loss": 3.0, "dev_loss": 3.25, "seconds": 60.0, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("losses", "epochs", "patience", "finished"),
    [
        ([], 3, 1, False),
        ([3, 2], 3, 1, False),
        ([3, 2, 1], 3, 1, True),
        ([1, 2], 9, 2, False),
        ([1, 2, 2], 9, 2, True),
        ([1, 1, 1], 9, 2, True),
    ],
)
def test_the_end_of_a_training(losses, epochs, patience, finished):
    state = TrainingState([Epoch(number, 0.0, loss, 0.0, 0.0) for number, loss in enumerate(losses, 1)])
    assert state.finished(TrainingConfig(epochs=epochs, patience=patience)) == finished


def test_an_epoch_is_stored_and_read_back():
    today = Epoch(**LINE)
    rewarded = Epoch(**LINE, stage=REWARD, reward=0.7, dev_cider=0.5, cores=1)
    assert today.to_json() == {**LINE, "stage": FIRST} and "cores" in rewarded.to_json()
    assert parse_as([today.to_json(), rewarded.to_json()], list[Epoch], "epochs") == [today, rewarded]


def test_the_best_epoch_has_the_least_loss_or_the_highest_cider():
    lines = [Epoch(**LINE | {"epoch": number, "dev_loss": loss}) for number, loss in enumerate((3.0, 2.5, 2.75), 1)]
    assert TrainingState(lines).best_epoch == 2 and TrainingState().best_epoch == 0
    ciders = [replace(line, dev_cider=cider) for line, cider in zip(lines, (0.5, 0.4, 0.6), strict=True)]
    assert TrainingState(ciders).best_epoch == 3


def test_a_history_counts_the_epochs_of_the_run_before():
    before, own = [Epoch(**LINE | {"epoch": 1}), Epoch(**LINE)], [Epoch(**LINE | {"epoch": 1, "dev_loss": 2.0})]
    history = TrainingState(own, before=before).history("learned", 7, "running")
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2, 3] and history["epochs"][2]["dev_loss"] == 2.0
    facts = {name: history[name] for name in ("variant", "seed", "state", "earlier", "best_epoch")}
    assert facts == {"variant": "learned", "seed": 7, "state": "running", "earlier": 2, "best_epoch": 3}

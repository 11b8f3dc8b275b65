"""Real processes that train together, in a file of their own because they take their time: equality, and one that is lost."""

import json
import signal
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from captioner.__main__ import main
from captioner.config import VARIANTS
from captioner.storage import exists
from captioner.training.run import Run
from captioner.vision import encoder as encoders
from support.factories import write_flickr8k
from support.fakes import StubEncoder, keep_what_runs_end_with
from support.workers import finish, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.process]
PATIENCE = 300  # seconds, on a machine with other things to do
END_WITHIN = 60  # seconds, of those who are left when one is gone
LEARNED = ("--variant", "learned")
SETTINGS = ("dropout=0", "patience=9", "views=2", "label_smoothing=0.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def arguments(folder):
    """Batches of 16, 16 and 1 photographs: the last one has no part for the second worker."""
    data = write_flickr8k(folder / "data", 33, 7, 1)
    command = ["train", "--data", str(data), "--preset", "tiny", "--epochs", "3"]
    return [*command, "--cache", str(folder / "cache"), *(part for setting in SETTINGS for part in ("--set", setting))]


@pytest.fixture(scope="module")
def together(folder, arguments):
    """Two undisturbed workers that share the features and train all variants."""
    return finish(start(folder / "together", arguments, [0, 0]), PATIENCE)


def ended(place, variant="learned"):
    return load_file(place / f"{variant}.safetensors")


def check_equal(one, other):
    assert set(one) == set(other) and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_two_processes_are_one(folder, arguments, together, monkeypatch):
    assert [status for status, _, _ in together] == [0, 0], together
    (_, report, told), (_, nothing, less) = together
    assert "best_epoch" in report and "learned: 9 of 9 batches" in told
    assert nothing == "" and "learned:" not in less and "Worker 1: waiting" in less
    both = folder / "together"
    assert exists(both / "out-0" / "learned") and not (both / "out-1").exists()
    for name in VARIANTS:
        check_equal(ended(both / "ended-0", name), ended(both / "ended-1", name))

    keys = [key for index in (folder / "cache").rglob("*.json") for key in json.loads(index.read_text())]
    assert len(keys) == len(set(keys)) == 2 * 33 + 7  # Two views of each; each was made once.

    monkeypatch.setattr(encoders, "load_encoder", lambda name, **_: StubEncoder())
    monkeypatch.setattr(Run, "execute", Run.execute)  # It is put back afterwards.
    keep_what_runs_end_with(folder / "alone")
    assert main([*arguments, *LEARNED, "--out", str(folder / "alone" / "out")]) == 0
    alone, shared = ended(folder / "alone"), ended(both / "ended-0")
    assert set(alone) == set(shared)
    assert max(float(np.abs(alone[name] - shared[name]).max()) for name in alone) < 1e-4
    losses = [
        [epoch["dev_loss"] for epoch in json.loads((place / "learned" / "history.json").read_text())["epochs"]]
        for place in (folder / "alone" / "out", both / "out-0")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.parametrize(
    ("fate", "lost", "state"),
    [("SIGKILL", 1, "stopped"), ("SIGKILL", 0, "running"), ("SIGSTOP", 0, "running"), ("SIGINT", 1, "stopped")],
)
def test_one_is_lost_and_all_are_started_again(folder, arguments, together, fate, lost, state):
    """One is killed, hangs or is interrupted; only the first worker records that a run was stopped."""
    broken = folder / f"{fate}-{lost}"
    workers = start(broken, [*arguments, *LEARNED], [2 if number == lost else 0 for number in range(2)], signal.Signals[fate])
    try:
        wait_for(workers[lost], PATIENCE)
        gone = time.monotonic()
        ((status, _, told),) = finish([workers[1 - lost]], PATIENCE)
        assert time.monotonic() - gone < END_WITHIN
    finally:
        workers[lost].kill()
        workers[lost].communicate()
    assert status == 2 and "Traceback" not in told
    assert "triptych: One of the 2 workers no longer answers" in told.splitlines()[-1]
    history = json.loads((broken / "out-0" / "learned" / "history.json").read_text())
    assert history["state"] == state and len(history["epochs"]) == 1
    assert not exists(broken / "out-0" / "learned") and not (broken / "out-1").exists()

    resumed = finish(start(broken, [*arguments, *LEARNED, "--resume"], [0, 0]), PATIENCE)
    assert [status for status, _, _ in resumed] == [0, 0], resumed
    for number in range(2):
        check_equal(ended(broken / f"ended-{number}"), ended(folder / "together" / f"ended-{number}"))

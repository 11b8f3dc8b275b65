"""Real processes that train together: equality with one process, and the loss of a worker."""

import json
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from captioner.__main__ import main
from captioner.config import VARIANTS
from captioner.storage import exists
from captioner.training.run import Run
from captioner.vision import encoders
from support.factories import write_flickr8k
from support.fakes import StubEncoder, check_equal, keep_what_runs_end_with
from support.workers import finish, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.process]
PATIENCE = 300  # seconds, on a machine with other things to do
END_WITHIN = 60  # seconds, for the worker that is left when the other is gone
LEARNED = ("--variant", "learned")
SETTINGS = ("dropout=0", "patience=9", "views=2", "label_smoothing=0.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def arguments(folder):
    """Batches of 16, 16 and 1 photographs: the last one has no shard for the second worker."""
    data = write_flickr8k(folder / "data", 33, 7, 1, longest=6)  # One compiled loop is enough for captions so short.
    command = ["train", "--data", str(data), "--preset", "tiny", "--epochs", "5"]
    return [*command, "--cache", str(folder / "cache"), *(part for setting in SETTINGS for part in ("--set", setting))]


@pytest.fixture(scope="module")
def together(folder, arguments):
    """Two undisturbed workers that share the features and train all variants."""
    return finish(start(folder / "together", arguments, [0, 0]), PATIENCE)


def ended(place, variant="learned"):
    return load_file(place / f"{variant}.safetensors")


def history(place):
    return json.loads((place / "learned" / "history.json").read_text())


def test_two_processes_train_as_one(folder, arguments, together, monkeypatch):
    assert [status for status, _, _ in together] == [0, 0], together
    (_, report, log), (_, second_report, second_log) = together
    assert "best_epoch" in report and "learned: 15 of 15 batches" in log
    assert second_report == "" and "learned:" not in second_log and "Worker 1: waiting" in second_log
    both = folder / "together"
    assert exists(both / "out-0" / "learned") and not (both / "out-1").exists()
    for name in VARIANTS:
        check_equal(ended(both / "ended-0", name), ended(both / "ended-1", name))

    keys = [key for index in (folder / "cache").rglob("*.json") for key in json.loads(index.read_text())]
    assert len(keys) == len(set(keys)) == 2 * 33 + 7  # Two views of each, computed once.

    monkeypatch.setattr(encoders, "load_encoder", lambda name, **_: StubEncoder())
    monkeypatch.setattr(Run, "execute", Run.execute)  # Restored afterwards.
    keep_what_runs_end_with(folder / "alone")
    assert main([*arguments, *LEARNED, "--out", str(folder / "alone" / "out")]) == 0
    alone, shared = ended(folder / "alone"), ended(both / "ended-0")
    assert set(alone) == set(shared)
    assert max(float(np.abs(alone[name] - shared[name]).max()) for name in alone) < 1e-4
    losses = [[epoch["dev_loss"] for epoch in history(place)["epochs"]] for place in (folder / "alone" / "out", both / "out-0")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_a_run_survives_every_way_of_losing_a_worker(folder, arguments, together):
    """In each epoch after the first, one is killed, interrupted or hangs; the next group resumes from the epoch before."""
    place, resume = folder / "broken", ()
    ways = (("SIGKILL", 1, "stopped"), ("SIGINT", 1, "stopped"), ("SIGSTOP", 0, "running"), ("SIGKILL", 0, "running"))
    for epoch, (fate, lost, state) in enumerate(ways, start=2):  # Only the first worker records that a run was stopped.
        lose_one(start(place, [*arguments, *LEARNED, *resume], [epoch * (number == lost) for number in range(2)], fate), lost)
        assert history(place / "out-0")["state"] == state and len(history(place / "out-0")["epochs"]) == epoch - 1
        assert not exists(place / "out-0" / "learned") and not (place / "out-1").exists()
        resume = ("--resume",)
    resumed = finish(start(place, [*arguments, *LEARNED, *resume], [0, 0]), PATIENCE)
    assert [status for status, _, _ in resumed] == [0, 0], resumed
    for number in range(2):
        check_equal(ended(place / f"ended-{number}"), ended(folder / "together" / f"ended-{number}"))


def lose_one(workers, lost):
    """Wait until one worker is lost; the other must then end with our sentence."""
    try:
        wait_for(workers[lost], PATIENCE)
        gone = time.monotonic()
        ((status, _, log),) = finish([workers[1 - lost]], PATIENCE)
        assert time.monotonic() - gone < END_WITHIN
    finally:
        workers[lost].kill()
        workers[lost].communicate()
    assert status == 2 and "Traceback" not in log
    assert "triptych: One of the 2 workers no longer answers" in log.splitlines()[-1]

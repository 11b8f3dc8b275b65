"""Workers without processes: their places in TF_CONFIG, and what they share."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import PIL
import pytest
import tensorflow as tf

from captioner.__main__ import main
from captioner.commands import train
from captioner.errors import ConfigError, TrainingError
from captioner.training import provenance
from captioner.training.worker_group import EXAMPLE, Place, Shard, SingleWorker, find_place, join
from captioner.vision import encoders
from support.fakes import StubEncoder
from support.workers import InThreads, Meeting

ROOT = Path(__file__).resolve().parents[2]
TWO = {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}


def environment(config):
    return {"TF_CONFIG": config if isinstance(config, str) else json.dumps(config)}


def changed(**task):
    return TWO | {"task": TWO["task"] | task}


CHIEF = {"cluster": {"worker": ["b:1", "c:1"], "chief": ["a:1"]}, "task": {"type": "worker", "index": 1}}
ALONE = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (TWO, Place(1, ("a:2222", "b:2222"))),
        (CHIEF, Place(2, ("a:1", "b:1", "c:1"))),
        (CHIEF | {"task": {"type": "chief", "index": 0}}, Place(0, ("a:1", "b:1", "c:1"))),
        (ALONE, None), ("", None), ("{}", None),
    ],
)  # fmt: skip
def test_a_place(config, place):
    assert find_place(environment(config)) == place and find_place({}) is None


@pytest.mark.parametrize(
    "config",
    [
        "worker 1", "[1]", "3", json.dumps({"cluster": TWO["cluster"]}), json.dumps({"task": TWO["task"]}),
        changed(index=2), changed(index=-1), changed(index="1"), changed(index=True),
        changed(type="ps"), changed(type="evaluator"),
        TWO | {"cluster": {"worker": "a:2222"}}, TWO | {"cluster": {"worker": ["a", "b"]}},
        TWO | {"cluster": {"worker": ["a:1", "b:99999"]}}, TWO | {"cluster": {"worker": ["a:1", "a:1"]}},
        TWO | {"cluster": {"worker": ["a:1", 7]}}, TWO | {"cluster": TWO["cluster"] | {"ps": ["c:1"]}}, "[" * 100_000,
    ],
    ids=lambda config: str(config)[:60],
)  # fmt: skip
def test_an_invalid_place_is_refused(config):
    with pytest.raises(ConfigError, match="TF_CONFIG must be JSON such as"):
        find_place(environment(config))


def test_the_example_in_the_refusal_is_valid():
    assert find_place(environment(EXAMPLE)).number == 0


def test_commands_for_a_single_process(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    somewhere = ["--data", "shapes", "--from", str(tmp_path)]
    adapt = ["adapt", *somewhere, "--out", str(tmp_path / "encoder")]
    for arguments in (["train", "--stage", "reward", *somewhere], adapt, ["study", "--data", "shapes"]):
        assert main(arguments) == 2
        assert "a single process" in capsys.readouterr().err
    monkeypatch.setenv("TF_CONFIG", "two of them")
    assert main(["train", "--data", "shapes"]) == 2
    assert "TF_CONFIG must be JSON" in capsys.readouterr().err


@pytest.mark.parametrize(("question", "what"), [(1, "code or libraries"), (2, "encoder or settings")])
def test_a_worker_with_another_program_is_named_before_features_are_computed(monkeypatch, capsys, tmp_path, question, what):
    marks = []

    class Differing(SingleWorker):
        shard = Shard(0, 2)

        def unlike(self, mark):
            marks.append(mark)
            return [1] if len(marks) == question else []

    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    monkeypatch.setattr(train, "join", Differing)
    monkeypatch.setattr(encoders, "load_encoder", lambda name, **_: StubEncoder())
    assert main(["train", "--data", "shapes", "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 2
    assert f"triptych: Worker 1 of 2 has other {what} than worker 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    source, *versions = marks[0].split()
    assert source == provenance.code().source and versions == [library.__version__ for library in (tf, keras, np, PIL)]


@pytest.mark.parametrize("data", [b"", b"x", b"abcd", bytes(range(256)) * 41 + b"\xff"], ids=len)
def test_all_get_what_the_first_found(data):
    def find(workers):
        calls = []
        shared = workers.share(lambda: calls.append(1) or data, bytes, lambda found: found + b"!")
        return shared, len(calls)

    assert Meeting(3).of_all(find) == [(data, 1), (data + b"!", 0), (data + b"!", 0)]
    assert SingleWorker().share(lambda: data, None, None) == data


def test_all_raise_the_error_of_the_first():
    def refuse():
        raise ConfigError("There is no café.")

    found = Meeting(2).of_all(lambda workers: workers.share(refuse, None, None))
    assert [type(error) for error in found] == [ConfigError, TrainingError]
    assert {str(error) for error in found} == {"There is no café."}


def test_all_raise_where_one_disagrees():
    assert Meeting(3).of_all(lambda workers: workers.agree("same", "data")) == [None] * 3
    found = Meeting(3).of_all(lambda workers: workers.agree(str(workers.shard.number == 2), "data or settings"))
    assert [str(error).split(";")[0] for error in found] == ["Worker 2 of 3 has other data or settings than worker 0"] * 3


@pytest.mark.parametrize("kind", ["Unavailable", "DeadlineExceeded", "Aborted", "Cancelled", "Internal"])
def test_a_lost_worker_is_our_error(kind):
    workers = InThreads(0, Meeting(3))
    with pytest.raises(TrainingError, match="^One of the 3 workers no longer answers"), workers._answering():
        raise getattr(tf.errors, f"{kind}Error")(None, None, "connection reset by peer")
    with pytest.raises(tf.errors.InvalidArgumentError), workers._answering():  # A mistake of ours.
        raise tf.errors.InvalidArgumentError(None, None, "shapes differ")


def test_joining(monkeypatch):
    def fail(**_):
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert type(join()) is SingleWorker
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fail)
    with pytest.raises(TrainingError, match="Worker 1 could not join the 2 of TF_CONFIG; .*b:2222"):
        join()


WAITS = """
import os, signal, sys
from captioner.training.worker_group import _interruptible
within, after = (int(number) for number in sys.argv[1:])  # 0 does nothing.
try:
    with _interruptible():
        signal.signal(signal.SIGTERM, lambda *_: None)  # As TensorFlow does.
        os.kill(os.getpid(), within)
    os.kill(os.getpid(), after)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("within", "after", "status", "output"),
    [(signal.SIGINT, 0, -signal.SIGINT, ""), (0, signal.SIGTERM, -signal.SIGTERM, ""), (0, signal.SIGINT, 0, "interrupted\n")],
)
def test_waiting_can_be_interrupted_and_a_plain_kill_ends_a_worker(within, after, status, output):
    """While TensorFlow waits, the system itself ends the process; Python's handlers do not run."""
    command = [sys.executable, "-c", WAITS, str(int(within)), str(int(after))]
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert (child.returncode, child.stdout) == (status, output)

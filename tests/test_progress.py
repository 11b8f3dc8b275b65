"""Progress is written into a string, with a clock that the test moves."""

import io
from types import SimpleNamespace

import pytest

from captioner import progress
from captioner.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    return stream


def test_durations():
    spoken = {0: "0 s", 59.4: "59 s", 59.6: "1 min 00 s", 125: "2 min 05 s", 3599.6: "1 h 00 min", 7500: "2 h 05 min"}
    assert {seconds: duration(seconds) for seconds in spoken} == spoken


def test_a_line_now_and_then_without_the_time_of_an_earlier_run(clock, capsys):
    bar = Progress("features", 150, "pictures")
    bar.skip(50)
    for _ in range(4):
        clock[0] += 10
        bar.advance(20)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "features: 90 of 150 pictures, 2.0/s, 30 s left"
    assert second == "features: 130 of 150 pictures, 2.0/s, 10 s left"
    bar.advance(20, note="done")
    assert capsys.readouterr().err == "features: 150 of 150 pictures, 2.5/s, 0 s left, done\n"


def test_a_terminals_line_is_rewritten_and_ended_once(clock, terminal):
    with Progress("training", 2, "batches") as bar:
        clock[0] += 1
        bar.advance()
        assert terminal.getvalue().startswith("\r") and not terminal.getvalue().endswith("\n")
        clock[0] += 1
        bar.advance()
    assert terminal.getvalue().count("\n") == 1 and terminal.getvalue().endswith("\n")


def test_the_line_of_work_that_stops_early_is_ended(clock, terminal):
    with pytest.raises(KeyboardInterrupt), Progress("training", 9, "batches") as bar:
        clock[0] += 1
        bar.advance()
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("left\n")


def test_what_is_not_shown(clock, capsys):
    with Progress("training", 2, "batches", shown=False) as bar:
        bar.advance(2)
    assert capsys.readouterr().err == "" and bar.done == 2


def test_nothing_to_do_and_more_than_announced(clock, capsys):
    with Progress("features", 0, "pictures") as bar:
        bar.advance(0)
    assert capsys.readouterr().err == ""
    bar.advance(3)
    said = capsys.readouterr().err
    assert said.startswith("features: 3 of 0 pictures") and said.endswith("/s, 0 s left\n")

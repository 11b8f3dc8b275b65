"""Progress is written into a string, with a clock that the test moves."""

import io

import pytest

from captioner import progress
from captioner.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_durations():
    spoken = {0: "0 s", 59.4: "59 s", 59.6: "1 min 00 s", 125: "2 min 05 s", 3599.6: "1 h 00 min", 7500: "2 h 05 min"}
    assert {seconds: duration(seconds) for seconds in spoken} == spoken


def test_a_line_now_and_then(clock):
    stream = io.StringIO()
    bar = Progress("features", 100, "pictures", stream, every=15)
    for _ in range(4):
        clock[0] += 10
        bar.advance(20)
    assert stream.getvalue() == "features: 40 of 100 pictures, 2.0/s, 30 s left\nfeatures: 80 of 100 pictures, 2.0/s, 10 s left\n"
    bar.advance(20, note="done")
    assert stream.getvalue().endswith("features: 100 of 100 pictures, 2.5/s, 0 s left, done\n")


def test_what_an_earlier_run_did_says_nothing_about_the_rate(clock):
    stream = io.StringIO()
    bar = Progress("training", 100, "batches", stream, every=0)
    bar.skip(50)
    clock[0] += 5
    bar.advance(10)
    assert stream.getvalue() == "training: 60 of 100 batches, 2.0/s, 20 s left\n"


def test_a_terminals_line_is_rewritten_and_ended_once(clock):
    stream = Terminal()
    with Progress("training", 2, "batches", stream, every=0) as bar:
        clock[0] += 1
        bar.advance()
        assert stream.getvalue().startswith("\r") and not stream.getvalue().endswith("\n")
        clock[0] += 1
        bar.advance()
    assert stream.getvalue().count("\n") == 1 and stream.getvalue().endswith("\n")


def test_the_line_of_work_that_stops_early_is_ended(clock):
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), Progress("training", 9, "batches", stream, every=0) as bar:
        bar.advance()
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("left\n")


def test_what_is_not_shown(clock):
    stream = io.StringIO()
    with Progress("training", 2, "batches", stream, every=0, shown=False) as bar:
        bar.advance(2)
    assert stream.getvalue() == "" and bar.done == 2


def test_nothing_to_do_and_more_than_announced(clock):
    stream = io.StringIO()
    with Progress("features", 0, "pictures", stream) as bar:
        bar.advance(0)
    assert stream.getvalue() == ""
    bar.advance(3)
    assert stream.getvalue().startswith("features: 3 of 0 pictures") and stream.getvalue().endswith("/s, 0 s left\n")

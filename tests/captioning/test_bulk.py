"""Many pictures: the same captions as one by one, in their order, with bad ones among them, and no more held than needed."""

import threading

import numpy as np
import pytest

from captioner.captioning import bulk
from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.errors import ImageError


@pytest.fixture(scope="module")
def captioner(tiny_run, encoder):
    return Captioner.load(tiny_run, ("word2vec",), encoder=encoder)


def picture(number: int) -> np.ndarray:
    if number % 10 == 7:
        raise ImageError(f"Picture {number} is broken.")
    return np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8).repeat(65, 0).repeat(65, 1)


def test_captions_are_those_of_each_alone(captioner, monkeypatch):
    monkeypatch.setattr(bulk, "MANY", 5)
    monkeypatch.setattr(bulk, "FEW", 2)
    config = SearchConfig(beam=2, alternatives=0)
    found = list(bulk.caption_all(captioner, range(12), picture, config))
    assert [number for number, _ in found] == list(range(12))
    for number, captions in found:
        if number % 10 == 7:
            assert str(captions) == f"Picture {number} is broken."
        else:
            (alone,) = captioner.caption([picture(number)], config)
            assert captions["word2vec"][0].text == alone["word2vec"][0].text
    assert list(bulk.caption_all(captioner, [], picture, config)) == []


class Echo:
    """Stands for the decoders; says which pictures came together."""

    def __init__(self):
        self.together = []

    def caption(self, pictures, config, told=None):
        self.together.append(len(pictures))
        return [int(one[0]) for one in pictures]


def test_no_more_is_read_ahead_than_the_cores_need(monkeypatch):
    monkeypatch.setattr(bulk, "cores", lambda: 2)
    echo, read, lock = Echo(), [], threading.Lock()

    def note(number):
        with lock:
            read.append(number)
        return np.array([number])

    for number, said in bulk.caption_all(echo, range(bulk.MANY * 10), note, SearchConfig()):
        assert said == number and len(read) <= number + bulk.MANY * 4
    assert sorted(read) == list(range(bulk.MANY * 10)) and set(echo.together) == {bulk.MANY}


def test_few_are_captioned_together_and_both_cores_get_some_of_more(monkeypatch):
    monkeypatch.setattr(bulk, "cores", lambda: 2)
    for count, expected in ((1, [1]), (bulk.FEW, [bulk.FEW]), (50, [25, 25]), (200, [64, 64, 64, 8])):
        echo = Echo()
        assert len(list(bulk.caption_all(echo, range(count), lambda number: np.array([number]), SearchConfig()))) == count
        assert sorted(echo.together, reverse=True) == expected


def test_whoever_stops_asking_stops_the_work(monkeypatch):
    monkeypatch.setattr(bulk, "cores", lambda: 2)
    echo = Echo()
    found = bulk.caption_all(echo, range(bulk.MANY * 100), lambda number: np.array([number]), SearchConfig())
    next(found)
    found.close()
    assert len(echo.together) <= 5


def test_what_is_wrong_with_more_than_a_picture_is_raised(monkeypatch):
    def broken(_number):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(bulk.caption_all(Echo(), range(3), broken, SearchConfig()))

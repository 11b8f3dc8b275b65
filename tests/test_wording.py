"""How captions are worded, against counts made by hand."""

import doctest

import pytest

from captioner import wording
from captioner.wording import Wording, mean, worded


def test_by_hand():
    captions = ["A dog runs.", "a dog runs", "two red dogs and two red cats", ""]
    found = worded(captions, {("a", "dog", "runs")})
    assert found == Wording(mean_words=13 / 4, distinct_captions=3, different_words=8, repeating=1 / 4, copied=2 / 4)
    assert doctest.testmod(wording).failed == 0


def test_a_repeated_word_is_no_repeated_pair():
    assert worded(["a dog and a cat"]).repeating == 0
    assert worded(["go go go"]).repeating == 1


def test_without_training_captions_nothing_is_known_of_copies():
    assert worded(["a dog"]).copied is None
    assert mean([worded(["a dog"]), worded(["a cat runs by"])]) == Wording(3.0, 1.0, 3.0, 0.0, None)


def test_the_mean_of_sets():
    first, second = worded(["a dog", "a dog"], {("a", "dog")}), worded(["a cat", "a fat cat"], {("a", "dog")})
    assert mean([first, second]) == Wording(pytest.approx(2.25), 1.5, 2.5, 0.0, 0.5)

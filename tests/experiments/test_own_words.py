"""The words that only one decoder uses, against cases worked by hand."""

import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.experiments.own_words import own_words, own_words_by_chance
from support.study_factory import scores, trial_record


def record(variant, seed, used):
    return trial_record(variant, seed, {"test": scores([0.5], used=used)})


def test_words_that_only_one_of_the_three_uses():
    used = {"learned": {"a": 3, "dog": 2}, "word2vec": {"a": 1, "puppy": 1}, "fasttext": {"a": 9, "dog": 1}}
    finished = [record(name, 1, words) for name, words in used.items()]
    finished += [record("learned", 2, {}), record("random", 1, {"puppy": 1})]
    assert own_words(finished) == {FIRST: ({"learned": {}, "word2vec": {"puppy": 1}, "fasttext": {}},), REWARD: ()}


def test_words_that_luck_alone_gives_to_one_training():
    """Three trainings of the same vectors: of a, b, c, d the words c and d are one's alone, so 2 of 3 trainings have one."""
    used = {1: {"a": 1, "b": 1}, 2: {"a": 2, "b": 1, "c": 1}, 3: {"a": 1, "d": 5}, 4: {"a": 1, "d": 1}}
    four = [record(name, seed, words if name == "learned" else {"a": 1})
            for seed, words in used.items() for name in VARIANTS]  # fmt: skip
    assert own_words_by_chance(four[:9]) == {FIRST: {"learned": pytest.approx(2 / 3), "word2vec": 0, "fasttext": 0}}
    assert own_words_by_chance(four[:8]) == {}  # Of one there are but two.
    # Of the four threes: 1 2 3 has c and d; 1 2 4 c and d; 1 3 4 b; 2 3 4 b and c.
    assert own_words_by_chance(four)[FIRST]["learned"] == pytest.approx((2 + 2 + 1 + 2) / 12)

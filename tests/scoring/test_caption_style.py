"""Caption style against counts made by hand."""

import doctest
from collections import Counter
from pathlib import Path

import pytest

from captioner.data.datasets import load
from captioner.scoring import caption_style
from captioner.scoring.caption_style import (
    BANDS,
    RARE,
    UNENDING,
    CaptionStyle,
    TrainingCaptions,
    mean,
    occurrences,
    rare_recall,
    style_of,
    unique_words,
)
from captioner.vocabulary import tokenize

SHARED = Path(__file__).resolve().parents[3] / "shared"


def test_by_hand():
    captions = ["A dog runs.", "a dog runs", "two red dogs and two red cats", ""]
    found = style_of(captions, {("a", "dog", "runs")})
    assert found == CaptionStyle(13 / 4, 3, 8, repeating=1 / 4, copied=2 / 4, cut=0, flawed=1 / 4, says_twice=1 / 4)
    assert doctest.testmod(caption_style).failed == 0


def test_repetitions_and_cut_endings():
    assert style_of(["a dog and a cat"]).repeating == 0 and style_of(["go go go"]).repeating == 1
    found = style_of(["A man in a", "a man stands with.", "a man looks on", "a dog", "a", ""])
    assert found.cut == found.flawed == 3 / 6
    both = style_of(["a dog and a dog and a", "a dog in", "a cat and a cat", "a cow"])
    assert (both.repeating, both.cut, both.flawed) == (2 / 4, 2 / 4, 3 / 4)


@pytest.mark.skipif(not (SHARED / "flickr8k").is_dir(), reason="Flickr8k is not here.")
def test_people_seldom_end_a_caption_in_an_unending_word():
    captions = [tokenize(text) for record in load(SHARED / "flickr8k").split("train") for text in record.captions]
    used, last = Counter(word for words in captions for word in words), Counter(words[-1] for words in captions)
    assert max(last[word] / used[word] for word in UNENDING if used[word]) < 0.01
    assert sum(last[word] for word in UNENDING) / len(captions) < 0.002
    assert min(last[word] / used[word] for word in "on by down up out off around behind outside her can".split()) > 0.01


# Two photographs; "poodle" is written 5 times in training, "whippet" 12 times, "dog" 100 times, "axolotl" 4 times.
SEEN = {"poodle": 5, "whippet": 12, "dog": 100, "axolotl": 4, "barks": 49, "runs": 50}
PEOPLE = [["A poodle barks.", "the poodle", "a dog runs"], ["a whippet and a poodle", "an axolotl"]]


def test_a_rare_word_counts_once_for_each_photograph_that_people_used_it_for():
    found = rare_recall(["a poodle runs", "a dog and a whippet"], PEOPLE, SEEN)
    # Pairs: (1, poodle) found, (1, barks) missed, (2, whippet) found, (2, poodle) missed.
    assert found == {"rare": 2 / 4, "rare_5_9": 1 / 2, "rare_10_19": 1.0, "rare_20_49": 0.0}
    assert rare_recall(["a whippet", "a poodle barks"], PEOPLE, SEEN)["rare"] == 1 / 4
    assert set(rare_recall(["a dog"], [["the dog"]], SEEN).values()) == {None}
    assert [count for low, high in BANDS.values() for count in range(low, high + 1)] == list(range(RARE[0], RARE[1] + 1))


def test_training_captions_judge_all_figures():
    training = ["a poodle"] * 5 + ["A Dog runs."]
    assert occurrences(training) == {"a": 6, "poodle": 5, "dog": 1, "runs": 1}
    captions, references = ["a dog runs", "a cat"], [["the poodle runs"], ["one poodle"]]
    found = TrainingCaptions.of(training).judge(captions, references)
    assert found.copied == 1 / 2 and found.rare == found.rare_5_9 == 0 and found.rare_20_49 is None


def test_words_that_only_one_uses():
    said = {"learned": ["A puppy, a puppy!", "dog"], "word2vec": ["a dog"], "fasttext": ["a cat bites", "a cat"]}
    used = {name: occurrences(texts) for name, texts in said.items()}
    assert unique_words(used) == {"learned": {"puppy": 2}, "word2vec": {}, "fasttext": {"cat": 2, "bites": 1}}
    assert list(unique_words(used)["fasttext"]) == ["cat", "bites"]


def test_the_mean_of_sets():
    first, second = style_of(["a dog", "a dog"], {("a", "dog")}), style_of(["a cat", "a fat cat in a"], {("a", "dog")})
    assert mean([first, second]) == CaptionStyle(pytest.approx(2.75), 1.5, 3.0, 0.0, 0.5, 0.25, 0.25, 0.0)
    without_training = style_of(["a cat runs by"])
    assert without_training.copied is None and mean([first, without_training]).copied is None

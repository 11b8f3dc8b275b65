"""The kinds of common words: one kind a word, no word that the captions do not have, and few common words without one."""

import json
from collections import Counter
from pathlib import Path

from embeddings.kinds import KINDS, OTHER, kind, words_of

VOCABULARY = Path(__file__).resolve().parents[2] / "checkpoints" / "first" / "learned" / "vocabulary.json"


def test_every_word_has_one_kind():
    counts = Counter(word for name in KINDS for word in words_of(name))
    assert not [word for word, count in counts.items() if count > 1]
    assert not words_of(OTHER) and all(words_of(name) for name in KINDS if name != OTHER)


def test_the_listed_words_are_words_of_the_captions():
    known = set(json.loads(VOCABULARY.read_text()))
    assert not {word for name in KINDS for word in words_of(name)} - known


def test_few_of_the_commonest_words_lack_a_kind():
    commonest = [word for word in json.loads(VOCABULARY.read_text()) if not word.startswith("<")][:450]
    found = Counter(map(kind, commonest))
    assert set(found) == set(KINDS) and found[OTHER] < 0.12 * len(commonest)


def test_kinds_of_some_words():
    words = {"man": "people", "dog": "animals", "red": "colours", "runs": "actions", "ball": "things", "the": "function words"}
    assert {word: kind(word) for word in words} == words
    assert kind("tall") == kind("<pad>") == OTHER

"""The kinds of common words: one kind a word, no word that the captions do not have, and few common words without one."""

import json
from collections import Counter
from pathlib import Path

from embeddings.kinds import _WORDS, KINDS, OTHER, kind

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"
VOCABULARY = json.loads((CHECKPOINTS / "first" / "learned" / "vocabulary.json").read_text())
LISTED = Counter(word for words in _WORDS.values() for word in words.split())


def test_every_word_has_one_kind_and_is_a_word_of_the_captions():
    assert set(LISTED.values()) == {1} and set(LISTED) <= set(VOCABULARY)


def test_few_of_the_commonest_words_lack_a_kind():
    commonest = [word for word in VOCABULARY if not word.startswith("<")][:450]
    found = Counter(map(kind, commonest))
    assert set(found) == set(KINDS) and found[OTHER] < 0.12 * len(commonest)


def test_kinds_of_some_words():
    words = {"man": "people", "dog": "animals", "red": "colours", "runs": "actions", "ball": "things", "the": "function words"}
    assert {word: kind(word) for word in words} == words
    assert kind("tall") == kind("<pad>") == OTHER

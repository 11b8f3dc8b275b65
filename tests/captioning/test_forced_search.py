"""The search that must say a word, against exhaustive enumeration."""

import itertools

import numpy as np
import pytest

from captioner.captioning.beam_search import search
from captioner.captioning.forced_search import force
from captioner.config import SearchConfig
from captioner.errors import ConfigError
from captioner.vocabulary import END, START

SIZE, LONGEST = 8, 3  # END and four words may be said


def table(seed):
    """Log-probabilities of each word after each word, (SIZE, SIZE)."""
    logits = np.random.default_rng(seed).normal(scale=2, size=(SIZE, SIZE))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def step_of(gains):
    return lambda state, words, images: (gains[words], np.zeros((len(words), 1), np.float32), state, None)


def enumerated(gains, word, preference):
    """Every sentence with the word and an end, best first."""
    found = {}
    for length in range(1, LONGEST + 1):
        for ids in itertools.product(range(4, SIZE), repeat=length):
            if word in ids:
                path = (START, *ids, END)
                found[ids] = sum(gains[pair] for pair in itertools.pairwise(path)) / (length + 1) ** preference
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("preference", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sentences_with_the_word(seed, preference):
    gains, word = table(seed), 4 + seed % 4
    config = SearchConfig(beam=50, maximum_words=LONGEST + 1, length_preference=preference)
    found, expected = force(step_of(gains), (np.zeros((1, 1)),), word, config)[0], enumerated(gains, word, preference)[0]
    assert found.ids == expected[0] and found.score == pytest.approx(expected[1], abs=1e-5) and found.finished


def test_a_word_that_the_free_search_says_costs_nothing():
    gains = table(1)
    config = SearchConfig(beam=3, maximum_words=LONGEST)
    free = search(step_of(gains), (np.zeros((1, 1)),), 1, config)[0][0]
    assert free.ids and force(step_of(gains), (np.zeros((1, 1)),), free.ids[-1], config)[0].score >= free.score - 1e-6


def test_an_unlikely_word_is_said_all_the_same_with_a_narrow_beam():
    gains = table(2)
    gains[:, 7] = -50
    found = force(step_of(gains), (np.zeros((1, 1)),), 7, SearchConfig(beam=1, maximum_words=LONGEST))[0]
    assert found.ids.count(7) == 1


def test_only_a_beam_can_be_forced():
    with pytest.raises(ConfigError, match="beam search alone"):
        force(step_of(table(0)), (np.zeros((1, 1)),), 4, SearchConfig(method="greedy"))

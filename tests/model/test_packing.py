"""Packed captions against the padded rows that everybody else uses, on captions drawn at random."""

import numpy as np
import pytest

from captioner.model.packing import STEP_BUCKET, pack
from captioner.vocabulary import END, PADDING, START


def drawn(seed):
    """Captions of up to 19 words of up to 5 photographs, some without words, some photographs with one caption only."""
    random = np.random.default_rng(seed)
    return [
        [random.integers(4, 50, random.integers(0, 20)).tolist() for _ in range(random.integers(1, 6))]
        for _ in range(random.integers(1, 6))
    ]


def padded(captions):
    """One row per caption, padded: its photograph, what goes in and what should come out."""
    groups = [(image, caption) for image, group in enumerate(captions) for caption in group]
    width = max(len(caption) for _, caption in groups) + 1
    inputs, targets = (np.full((len(groups), width), PADDING) for _ in range(2))
    for row, (_, caption) in enumerate(groups):
        inputs[row, : len(caption) + 1] = [START, *caption]
        targets[row, : len(caption) + 1] = [*caption, END]
    return [image for image, _ in groups], inputs, targets


@pytest.mark.parametrize("seed", range(20))
def test_every_real_word_is_there_once_and_nothing_else(seed):
    captions = drawn(seed)
    images, inputs, targets = padded(captions)
    packed = pack(captions)
    lengths = (targets != PADDING).sum(axis=1)
    order = sorted(range(len(images)), key=lambda row: -lengths[row])
    np.testing.assert_array_equal(packed.images, [images[row] for row in order])
    word = 0
    for step, count in enumerate(packed.counts):
        alive = [row for row in order if lengths[row] > step]
        assert count == len(alive)
        for row in alive:
            assert (packed.words[word], packed.targets[word]) == (inputs[row, step], targets[row, step])
            assert packed.places[word] // packed.layout.shape[1] == images[row]
            assert packed.layout.ravel()[packed.places[word]] == word
            word += 1
    assert word == len(packed.words) == len(packed.targets) == len(packed.places) == lengths.sum()


@pytest.mark.parametrize("seed", range(5))
def test_the_layout_groups_words_by_photograph(seed):
    captions = drawn(seed)
    packed = pack(captions)
    totals = [sum(len(caption) + 1 for caption in group) for group in captions]
    assert packed.layout.shape == (len(captions), max(totals)) and len(set(packed.places)) == len(packed.places)
    for layout, total in zip(packed.layout, totals, strict=True):
        assert len(set(layout[:total])) == total and not layout[total:].any()


def test_steps_come_in_buckets_and_numbers_as_the_network_takes_them():
    for words, steps in ((1, 1), (STEP_BUCKET - 1, 1), (STEP_BUCKET, 2), (2 * STEP_BUCKET, 3)):
        assert len(pack([[[7] * words]]).counts) == steps * STEP_BUCKET
    assert {array.dtype for array in pack(drawn(0)).arrays()} == {np.dtype(np.int32)}


def test_a_photograph_without_captions_has_no_words():
    packed = pack([[[5]], [], [[6, 7]]])
    assert packed.layout.shape == (3, 3) and not packed.layout[1].any()
    assert sorted(packed.words) == [START, START, 5, 6, 7] and list(packed.images) == [2, 0]


def test_no_captions_at_all():
    packed = pack([[], []])
    assert [array.size for array in packed.arrays()] == [0] * 6 and packed.layout.shape == (2, 0)
    assert {array.dtype for array in packed.arrays()} == {np.dtype(np.int32)}

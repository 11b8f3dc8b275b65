"""Pack captions of several photographs into index arrays without padding, so that only real words are computed.

Captions are sorted by length; the words of all captions at step 0 come first, then those at step 1, and so on. A caption
that has ended is not among the rows of later steps, so nothing is padded or masked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioner.vocabulary import END, START

STEP_BUCKET = 8  # The compiled loop has a multiple of this many steps, so that few loops have to be compiled.


@dataclass(frozen=True)
class Packed:
    """The words of one batch, time-major without padding, and their places."""

    words: np.ndarray  # (words,) the word that goes in
    targets: np.ndarray  # (words,) the word that should come out
    counts: np.ndarray  # (steps,) captions still going on at each step, falling; zeros fill up the bucket
    images: np.ndarray  # (captions,) the photograph of each caption, longest caption first
    layout: np.ndarray  # (images, most words of one image): which word stands there, 0 where none does
    places: np.ndarray  # (words,) the place of each word in the layout, counted through all images
    captions: np.ndarray  # (captions,) which of the captions given each row is, counted through all photographs

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.words, self.targets, self.counts, self.images, self.layout, self.places

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Repeat one value per caption, in the order given, for each of its words: (words,)."""
        rows = values[self.captions]
        return np.concatenate([rows[:count] for count in self.counts])


def pack(captions: Sequence[Sequence[Sequence[int]]]) -> Packed:
    """Pack the captions of several photographs; each caption is its words' numbers without start and end."""
    given = [(image, [*caption, END]) for image, group in enumerate(captions) for caption in group]
    order = sorted(range(len(given)), key=lambda number: -len(given[number][1]))
    rows = [given[number] for number in order]
    lengths = np.array([len(targets) for _, targets in rows], int)
    steps = -(-int(lengths.max(initial=0)) // STEP_BUCKET) * STEP_BUCKET  # none if there are no captions
    counts = (lengths[None, :] > np.arange(steps)[:, None]).sum(axis=1)  # (steps,)
    alive = [range(count) for count in counts]
    targets = np.array([rows[row][1][step] for step, still in enumerate(alive) for row in still], np.int32)
    words = np.array([rows[row][1][step - 1] if step else START for step, still in enumerate(alive) for row in still], np.int32)
    images = np.array([image for image, _ in rows], np.int32)
    word_images = np.concatenate([images[:0], *(images[:count] for count in counts)])  # (words,)
    layout, places = _layout(word_images, len(captions))
    return Packed(words, targets, counts.astype(np.int32), images, layout, places, np.array(order, int))


def _layout(word_images: np.ndarray, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Group the words by photograph: a table of word numbers per photograph, and each word's place in that table."""
    sizes = np.bincount(word_images, minlength=images)
    order = np.argsort(word_images, kind="stable")
    within = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    layout = np.zeros((images, sizes.max()), np.int32)
    layout[word_images[order], within] = order
    places = np.empty(len(order), np.int32)
    places[order] = word_images[order] * layout.shape[1] + within
    return layout, places

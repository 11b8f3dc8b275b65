"""In which order an epoch visits the photographs: all of them mixed, or shard by shard where they are far more than memory holds.

Photographs that stand side by side in a data set lie side by side in the cache, since it is filled in that order. So shards
are counted here as a cache that is filled in one go would hold them: the order follows from the data set, the settings and
the seed alone, and is the same whatever became of the cache since.
"""

import numpy as np

from captioner.vision.feature_shards import SHARD_ROWS

MIXED_BYTES = 16 * 2**30  # Features up to this are mixed as a whole; a machine that trains can have them all in memory.
WINDOW_BYTES = 4 * 2**30  # Where there are more, so many are mixed at a time.


def window(photographs: int, views: int, row_bytes: int) -> int:
    """How many shards are mixed at a time; 0 where all photographs are mixed as a whole."""
    if photographs * views * row_bytes <= MIXED_BYTES:
        return 0
    return max(1, WINDOW_BYTES // (SHARD_ROWS * row_bytes))


def visiting_order(photographs: int, views: int, shards_at_once: int, random: np.random.Generator) -> np.ndarray:
    """Every photograph once: shards in a new order, and the photographs of so many neighbouring shards mixed; 0 mixes all."""
    if not shards_at_once:
        return random.permutation(photographs)
    shards = shards_of(photographs, views)
    shuffled = [shards[number] for number in random.permutation(len(shards))]
    windows = (shuffled[first : first + shards_at_once] for first in range(0, len(shuffled), shards_at_once))
    return np.concatenate([random.permutation(np.concatenate(window)) for window in windows])


def shards_of(photographs: int, views: int) -> list[np.ndarray]:
    """The photographs whose first view lies in each shard.

    >>> [shard.tolist() for shard in shards_of(photographs=700, views=256)[:2]]
    [[0, 1], [2, 3]]
    """
    numbers = np.arange(photographs)
    return np.split(numbers, np.flatnonzero(np.diff(numbers * views // SHARD_ROWS)) + 1)

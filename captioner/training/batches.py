"""Training examples and their batches: which photographs, in which order and view, follows from the seed and the epoch.

Features are left to `captioner.vision.feature_cache`, packing to `captioner.model.packing`. Neighbours in a data set are
neighbours in the cache, so where features exceed memory, an epoch visits them shard by shard. Shards are counted as a cache
filled in one go would hold them, so that the order does not depend on the cache's history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.config import TrainingConfig
from captioner.data.datasets import Record
from captioner.model.packing import Packed, pack
from captioner.training.worker_group import Shard
from captioner.vision.feature_cache import FeatureCache
from captioner.vision.feature_shards import SHARD_ROWS
from captioner.vocabulary import UNKNOWN, Vocabulary, tokenize

Batch = tuple[np.ndarray, Packed]  # features (images, regions, channels), and the captions' words

MIXED_BYTES = 16 * 2**30  # Features up to this size are shuffled as a whole; a training machine can hold them in memory.
WINDOW_BYTES = 4 * 2**30  # Larger ones are shuffled within windows of this size.


@dataclass(frozen=True)
class Examples:
    """Photographs with their captions as word numbers, and the cache of their features."""

    records: tuple[Record, ...]
    captions: tuple[tuple[tuple[int, ...], ...], ...]  # per photograph, per caption, the words' numbers
    cache: FeatureCache | None  # None where the encoder is fine-tuned and reads the pictures.

    @classmethod
    def of(cls, records: Sequence[Record], vocabulary: Vocabulary, cache: FeatureCache | None) -> "Examples":
        captions = tuple(tuple(tuple(vocabulary.encode(tokenize(text))) for text in record.captions) for record in records)
        return cls(tuple(records), captions, cache)

    def part(self, chosen: slice) -> "Examples":
        return Examples(self.records[chosen], self.captions[chosen], self.cache)

    def batch(self, chosen: Sequence[int], views: Sequence[str] | None = None) -> Batch:
        features = self.cache.rows([self.records[index] for index in chosen], views)
        return features, pack([self.captions[index] for index in chosen])


def batches(
    examples: Examples, config: TrainingConfig, seed: int, epoch: int, views: Sequence[str], shard: Shard = Shard()
) -> Iterator[Batch | None]:
    """The batches of one epoch, or a shard of each; None where a batch has too few photographs for all shards."""
    random = np.random.default_rng((seed, epoch))
    dropping = random if shard.count == 1 else np.random.default_rng((seed, epoch, shard.number + 1))
    for chosen, names in shuffled(examples, config.images_per_batch, views, random):
        own = examples.batch(chosen[shard.own], names[shard.own]) if len(chosen) > shard.number else None
        if own and config.word_dropout:
            words = own[1].words
            words[dropping.random(len(words)) < config.word_dropout] = UNKNOWN
        yield own


def shuffled(
    examples: Examples, size: int, views: Sequence[str], random: np.random.Generator
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """All photographs in a new order, `size` at a time, with the name of the view of each."""
    photographs = len(examples.records)
    shards_at_once = window(photographs, len(views), examples.cache.row_bytes)
    order = visiting_order(photographs, len(views), shards_at_once, random)
    for first in range(0, photographs, size):
        chosen = order[first : first + size]
        yield chosen, [views[number] for number in random.integers(len(views), size=len(chosen))]


def window(photographs: int, views: int, row_bytes: int) -> int:
    """How many shards are mixed at a time; 0 if all photographs are mixed as a whole."""
    if photographs * views * row_bytes <= MIXED_BYTES:
        return 0
    return max(1, WINDOW_BYTES // (SHARD_ROWS * row_bytes))


def visiting_order(photographs: int, views: int, shards_at_once: int, random: np.random.Generator) -> np.ndarray:
    """Every photograph once: shards in a new order, and photographs mixed within windows of shards; 0 mixes all."""
    if not shards_at_once:
        return random.permutation(photographs)
    shards = shards_of(photographs, views)
    order = [shards[number] for number in random.permutation(len(shards))]
    windows = (order[first : first + shards_at_once] for first in range(0, len(order), shards_at_once))
    return np.concatenate([random.permutation(np.concatenate(window)) for window in windows])


def shards_of(photographs: int, views: int) -> list[np.ndarray]:
    """The photographs whose first view lies in each shard.

    >>> [shard.tolist() for shard in shards_of(photographs=700, views=256)[:2]]
    [[0, 1], [2, 3]]
    """
    numbers = np.arange(photographs)
    return np.split(numbers, np.flatnonzero(np.diff(numbers * views // SHARD_ROWS)) + 1)

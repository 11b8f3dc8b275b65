"""Training examples and their batches: which photographs, in which order and view, follows from the seed and the epoch.

Features are left to `captioner.vision.feature_cache`, packing to `captioner.model.packing`. Neighbours in a data set are
neighbours in the cache, so where features exceed memory, an epoch visits them shard by shard. Shards are counted as a cache
filled in one go would hold them, so that the order does not depend on the cache's history.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from captioner.config import TrainingConfig
from captioner.data.datasets import Record
from captioner.model.packing import Packed, pack
from captioner.model.word_slots import SlotFinder, WordSlots
from captioner.training.sentences import Sentences
from captioner.training.worker_group import Shard
from captioner.vision.feature_cache import FeatureCache
from captioner.vision.feature_shards import SHARD_ROWS
from captioner.vocabulary import UNKNOWN, Vocabulary, tokenize

# Features (images, regions, channels), the two arrays of the word slots, and the captions' words.
Batch = tuple[np.ndarray, tuple[np.ndarray, np.ndarray], Packed]

MIXED_BYTES = 16 * 2**30  # Features up to this size are shuffled as a whole; a training machine can hold them in memory.
WINDOW_BYTES = 4 * 2**30  # Larger ones are shuffled within windows of this size.


@dataclass(frozen=True)
class Examples:
    """Photographs with their captions as word numbers, and the cache of their features."""

    records: tuple[Record, ...]
    captions: tuple[tuple[tuple[int, ...], ...], ...]  # per photograph, per caption, the words' numbers
    cache: FeatureCache | None  # None where the encoder is fine-tuned and reads the pictures.
    finder: SlotFinder | None = None  # None for a decoder without word slots
    sentences: Sentences | None = None  # None if batches hold photographs alone

    @classmethod
    def of(
        cls,
        records: Sequence[Record],
        vocabulary: Vocabulary,
        cache: FeatureCache | None,
        finder: SlotFinder | None = None,
    ) -> "Examples":
        """`vocabulary` holds every word that has a row in the table."""
        captions = tuple(tuple(tuple(vocabulary.encode(tokenize(text))) for text in record.captions) for record in records)
        return cls(tuple(records), captions, cache, finder)

    def part(self, chosen: slice) -> "Examples":
        return replace(self, records=self.records[chosen], captions=self.captions[chosen])

    def photographs(self, chosen: Sequence[int], views: Sequence[str] | None = None) -> tuple[np.ndarray, WordSlots]:
        """The features and the word slots of photographs by number."""
        seen = self.cache.seen([self.records[index] for index in chosen], views)
        return seen.features, self.finder.find(seen) if self.finder else WordSlots.none(len(chosen))

    @cached_property
    def sets(self) -> list[np.ndarray]:
        """The numbers of each data set's photographs."""
        origins = np.array([record.origin for record in self.records])
        return [np.flatnonzero(origins == name) for name in dict.fromkeys(origins.tolist())]

    def by_set(self) -> list["Examples"]:
        """The examples of each data set."""
        return [
            replace(self, records=tuple(self.records[one] for one in own), captions=tuple(self.captions[one] for one in own))
            for own in self.sets
        ]

    def epoch_size(self, other_share: float) -> int:
        """How many photographs an epoch shows: each of the first data set once, of the others that many times on average."""
        first = len(self.sets[0])
        return first + round(other_share * (len(self.records) - first))

    def batch(self, chosen: Sequence[int], views: Sequence[str] | None = None) -> Batch:
        features, slots = self.photographs(chosen, views)
        return features, slots[:2], pack([self.captions[index] for index in chosen])

    def mixed_batch(self, chosen: Sequence[int], views: Sequence[str], random: np.random.Generator, count: int) -> Batch:
        """The same with sentences as further photographs, which have slots but no features."""
        features, slots = self.photographs(chosen, views)
        sentences, drawn = self.sentences.draw(random, count, slots)
        together = tuple(np.concatenate(pair) for pair in zip(slots[:2], drawn[:2], strict=True))
        return features, together, pack([*(self.captions[index] for index in chosen), *([one] for one in sentences)])


def batches(
    examples: Examples, config: TrainingConfig, seed: int, epoch: int, views: Sequence[str], shard: Shard = Shard()
) -> Iterator[Batch | None]:
    """The batches of one epoch, or a shard of each; None where a batch has too few photographs for all shards."""
    random = np.random.default_rng((seed, epoch))
    dropping = random if shard.count == 1 else np.random.default_rng((seed, epoch, shard.number + 1))
    sentences = len(range(config.sentences)[shard.own])
    for chosen, names in shuffled(examples, config.images_per_batch, views, random, config.other_share):
        part, own = (chosen[shard.own], names[shard.own]), None
        if len(chosen) > shard.number:
            own = examples.mixed_batch(*part, dropping, sentences) if examples.sentences else examples.batch(*part)
        if own and config.word_dropout:
            words = own[2].words
            words[dropping.random(len(words)) < config.word_dropout] = UNKNOWN
        yield own


def shuffled(
    examples: Examples, size: int, views: Sequence[str], random: np.random.Generator, other_share: float = 1.0
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """An epoch's photographs in a new order, `size` at a time, with the name of the view of each."""
    shards_at_once = window(len(examples.records), len(views), examples.cache.row_bytes)
    order = epoch_order(examples, other_share, random, len(views), shards_at_once)
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        yield chosen, [views[number] for number in random.integers(len(views), size=len(chosen))]


def epoch_order(
    examples: Examples, other_share: float, random: np.random.Generator, views: int = 1, shards_at_once: int = 0
) -> np.ndarray:
    """The numbers of an epoch's photographs, each of the first data set once; never the same twice in a row."""
    photographs = len(examples.records)
    order = visiting_order(photographs, views, shards_at_once, random)
    if other_share == 1 or len(examples.sets) == 1:
        return order
    shown = rounds_shown(examples, other_share, random)
    orders = [order, *(visiting_order(photographs, views, shards_at_once, random) for _ in shown[1:])]
    rounds = [order[mask[order]] for order, mask in zip(orders, shown, strict=True)]
    for before, after in pairwise(rounds):
        if before.size and after.size and before[-1] == after[0]:
            after[:] = np.roll(after, 1)
    return np.concatenate(rounds)


def rounds_shown(examples: Examples, other_share: float, random: np.random.Generator) -> np.ndarray:
    """Which photographs each round of an epoch shows, (rounds, photographs).

    One of the first data set is in a random round, one of the others in all of them or in all but a random one.
    """
    photographs, rounds = len(examples.records), max(1, math.ceil(other_share))
    first = examples.sets[0]
    others = np.setdiff1d(np.arange(photographs), first)
    shown = np.ones((rounds, photographs), bool)
    shown[:, first] = False
    shown[random.integers(rounds, size=len(first)), first] = True
    missed = random.permutation(others)[: rounds * len(others) - round(other_share * len(others))]
    shown[random.integers(rounds, size=len(missed)), missed] = False
    return shown


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

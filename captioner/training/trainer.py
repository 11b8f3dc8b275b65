"""Trains one decoder: loss per real word, grouped by photograph, early stop on dev, a history that can be followed.

Touches no disk: after every epoch the caller is handed all that is needed to go on, and decides what to keep.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.config import Schedule, TrainingConfig
from captioner.data.datasets import Record
from captioner.errors import DivergedError
from captioner.model.decoder import PACKED_SIGNATURE, Decoder
from captioner.model.losses import word_losses
from captioner.model.packing import Packed, pack
from captioner.progress import Progress
from captioner.training.history import Epoch, TrainingState
from captioner.training.order import visiting_order, window
from captioner.training.weight_averages import Swapped, move_averages, restore, values_of
from captioner.training.worker_group import Shard, SingleWorker
from captioner.vision.feature_cache import WHOLE, FeatureCache
from captioner.vocabulary import UNKNOWN, Vocabulary, tokenize

Compiled = tf.types.experimental.PolymorphicFunction
Batch = tuple[np.ndarray, Packed]  # features (images, regions, channels), and the captions' words

_DEV_IMAGES_PER_BATCH = 50


@dataclass(frozen=True)
class Examples:
    """Photographs with their captions in numbers, and where their features are."""

    records: tuple[Record, ...]
    captions: tuple[tuple[tuple[int, ...], ...], ...]  # per photograph, per caption, the words' numbers
    cache: FeatureCache | None  # None where pictures are looked at themselves.

    @classmethod
    def of(cls, records: Sequence[Record], vocabulary: Vocabulary, cache: FeatureCache | None) -> "Examples":
        captions = tuple(tuple(tuple(vocabulary.encode(tokenize(text))) for text in record.captions) for record in records)
        return cls(tuple(records), captions, cache)

    def first(self, count: int) -> "Examples":
        """Only the first so many photographs."""
        return Examples(self.records[:count], self.captions[:count], self.cache)

    def batch(self, chosen: Sequence[int], views: Sequence[str] | None = None) -> Batch:
        features = self.cache.rows([self.records[index] for index in chosen], views)
        return features, pack([self.captions[index] for index in chosen])


def train(
    decoder: Decoder,
    examples: Examples,
    dev: Examples,
    config: Schedule,
    seed: int,
    views: Sequence[str] = (WHOLE,),
    state: TrainingState | None = None,
    after_epoch: Callable[[TrainingState], None] = lambda state: None,
    label: str = "training",
    make_trainer: "Callable[[Decoder, Any, int, int], Trainer] | None" = None,
    shown: bool = True,
) -> TrainingState:
    """Train until the epochs are done or dev has not improved for `patience` of them; start from `state` if given."""
    state = state or TrainingState()
    steps_per_epoch = math.ceil(len(examples.records) / config.images_per_batch)
    trainer = (make_trainer or Trainer)(decoder, config, seed, steps_per_epoch)
    if state.variables:
        trainer.restore(state.variables)
    with Progress(label, config.epochs * trainer.steps_per_epoch, "batches", shown=shown) as bar:
        bar.skip(len(state.epochs) * trainer.steps_per_epoch)
        while not state.finished(config):
            number = len(state.epochs) + 1
            state.variables = {}  # They have been put down, and would lie in memory through the whole epoch.
            state.epochs.append(trainer.epoch(number, examples, dev, views, bar))
            state.variables = trainer.variables()
            if state.best_epoch == number:
                state.best = trainer.averaged_weights()
            after_epoch(state)
    return state


class Trainer:
    """The compiled steps of one run, with the optimizer and the averaged weights."""

    config: TrainingConfig
    workers = SingleWorker()

    def __init__(self, decoder: Decoder, config: Schedule, seed: int, steps_per_epoch: int):
        self.decoder, self.config, self.seed, self.steps_per_epoch = decoder, config, seed, steps_per_epoch
        self.optimizer = optimizer(config, steps_per_epoch)
        self.optimizer.build(decoder.trainable_variables)
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in decoder.trainable_variables]
        self.losses = losses_of(decoder)
        self._steps: dict[int, Compiled] = {}
        self._apply = tf.function(self._apply_gradients, autograph=False)

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        start, total, words = time.monotonic(), 0.0, 0
        for batch in batches(examples, self.config, self.seed, number, views, self.workers.shard):
            loss, more = self.learn(batch)
            total += finite(loss, number) * more
            words += more
            bar.advance(note=f"epoch {number}, loss {total / words:.3f}")
        dev_loss, rate = finite(self.dev_loss(dev), number), float(self.optimizer.learning_rate)
        return Epoch(number, total / words, dev_loss, time.monotonic() - start, rate)

    def learn(self, batch: Batch | None) -> tuple[float, int]:
        """One step on one batch; gives the mean loss per word that it had before, and how many words there were."""
        features, packed = batch
        return float(self._compiled(len(packed.counts))(features, packed.arrays())), len(packed.targets)

    def dev_loss(self, dev: Examples) -> float:
        """Mean loss per real word of the averaged weights, without dropout."""
        with self.averaged():
            return mean_loss(self.losses, dev)

    def averaged(self) -> Swapped:
        """Within it the decoder has its averaged weights; after it, its own again."""
        return Swapped(self.decoder.trainable_variables, self.averages)

    def averaged_weights(self) -> dict[str, np.ndarray]:
        names = [variable.path for variable in self.decoder.trainable_variables]
        averages = dict(zip(names, (average.numpy() for average in self.averages), strict=True))
        return averages | {variable.path: variable.numpy() for variable in self.decoder.statistics}

    def variables(self) -> dict[str, np.ndarray]:
        """Everything that changes in a run: weights, their averages and the optimizer's state."""
        return values_of(self._named_variables())

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        restore(self._named_variables(), values)

    def _named_variables(self) -> Iterator[tuple[str, tf.Variable]]:
        for variable, average in zip(self.decoder.trainable_variables, self.averages, strict=True):
            yield f"weights/{variable.path}", variable.value
            yield f"averages/{variable.path}", average
        for variable in self.decoder.statistics:
            yield f"statistics/{variable.path}", variable.value
        for variable in self.optimizer.variables:
            yield f"optimizer/{variable.path}", variable.value

    def _compiled(self, steps: int) -> Compiled:
        """The compiled step for captions of up to so many words; one per bucket of lengths."""
        if steps not in self._steps:
            self._steps[steps] = tf.function(
                lambda features, packed: self._train_step(tf.cast(features, self.decoder.compute_dtype), packed, steps),
                _signature(self.decoder),
                autograph=False,
            )
        return self._steps[steps]

    def _train_step(self, features: tf.Tensor, packed: tuple, steps: int) -> tf.Tensor:
        with tf.GradientTape() as tape:
            plain, smoothed = self._losses(features, packed, steps)
        self._move(tape, smoothed)
        return plain

    def _losses(self, features: tf.Tensor, packed: tuple, steps: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean loss per word with dropout, plain and smoothed."""
        logits = self.decoder.logits(features, packed, steps, self._dropout_seed())
        return word_losses(logits, packed[1], self.config.label_smoothing)

    def _dropout_seed(self) -> tf.Tensor:
        return tf.cast(self.optimizer.iterations, tf.int32) * 1000 + self.seed

    def _move(self, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        """One step of the optimizer, and of the averages after it."""
        variables = self.decoder.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._apply([tf.convert_to_tensor(gradient) for gradient in gradients])

    def _apply_gradients(self, gradients: Sequence[tf.Tensor]) -> None:
        variables = self.decoder.trainable_variables
        self.optimizer.apply(gradients, variables)
        move_averages(self.averages, variables, self.optimizer.iterations, self.config.averaging)


def finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise DivergedError(f"The loss became {loss} in epoch {epoch}; lower the learning rate and start again.")
    return loss


def losses_of(decoder: Decoder) -> Callable[[int], Compiled]:
    """By the number of steps, the compiled loss per word of a decoder as it is, without dropout."""

    @functools.cache
    def compiled(steps: int) -> Compiled:
        def loss(features: tf.Tensor, packed: tuple) -> tf.Tensor:
            return word_losses(decoder.logits(tf.cast(features, decoder.compute_dtype), packed, steps), packed[1], 0.0)[0]

        return tf.function(loss, _signature(decoder), autograph=False)

    return compiled


def mean_loss(losses: Callable[[int], Compiled], examples: Examples) -> float:
    """Mean loss per real word over all examples."""
    total, words = summed_loss(losses, examples)
    return total / words


def summed_loss(losses: Callable[[int], Compiled], examples: Examples) -> tuple[float, int]:
    """The loss of all real words added up, and how many they are."""
    total, words = 0.0, 0
    for first in range(0, len(examples.records), _DEV_IMAGES_PER_BATCH):
        features, packed = examples.batch(range(first, min(first + _DEV_IMAGES_PER_BATCH, len(examples.records))))
        total += float(losses(len(packed.counts))(features, packed.arrays())) * len(packed.targets)
        words += len(packed.targets)
    return total, words


def _signature(decoder: Decoder) -> list:
    return [tf.TensorSpec((None, None, decoder.channels), tf.float16), PACKED_SIGNATURE]


def batches(
    examples: Examples, config: TrainingConfig, seed: int, epoch: int, views: Sequence[str], shard: Shard = Shard()
) -> Iterator[Batch | None]:
    """The batches of one epoch; order, views and dropped words follow from the seed and the epoch's number alone.

    A part is that of every batch, or None of one that has too few photographs for all parts.
    """
    random = np.random.default_rng((seed, epoch))
    dropping = random if shard.count == 1 else np.random.default_rng((seed, epoch, shard.number + 1))
    for chosen, looked_at in shuffled(examples, config.images_per_batch, views, random):
        own = examples.batch(chosen[shard.own], looked_at[shard.own]) if len(chosen) > shard.number else None
        if own and config.word_dropout:
            words = own[1].words
            words[dropping.random(len(words)) < config.word_dropout] = UNKNOWN
        yield own


def shuffled(
    examples: Examples, at_once: int, views: Sequence[str], random: np.random.Generator
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """All photographs in a new order, so many at a time, each with the view that it is looked at in."""
    photographs = len(examples.records)
    shards_at_once = window(photographs, len(views), examples.cache.row_bytes)
    order = visiting_order(photographs, len(views), shards_at_once, random)
    for first in range(0, photographs, at_once):
        chosen = order[first : first + at_once]
        yield chosen, [views[number] for number in random.integers(len(views), size=len(chosen))]


def optimizer(config: Schedule, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    warmup = max(1, round(config.warmup_epochs * steps_per_epoch))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, config.epochs * steps_per_epoch - warmup), warmup_target=config.learning_rate, warmup_steps=warmup
    )
    # Keras would number optimizers through the process, and a resumed run would not find the names of its state again.
    adam = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm, name="adam_w")
    adam.exclude_from_weight_decay(var_names=["bias"])
    return adam
